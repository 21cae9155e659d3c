"""The labels of a shrunk image at its full size: they follow the colours of the full image.

Enlarged labels alone would have stairs along every border. Here the probabilities are resized bilinearly, so that a
border may lie within a pixel of the shrunk image, and then flow a few steps between pixels of like colour.
"""

from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fullseg.model.base import Window, windows_of
from fullseg.model.canvas import first_best, resize_to
from fullseg.model.diffusion import Diffusion
from fullseg.model.interactive.image_state import ImageState
from fullseg.model.interactive.spread_state import SpreadState
from fullseg.model.interactive.tiles import compete
from fullseg.types import VOID

STEP = 2  # a step for so many px of the full image per px of the shrunk one
TILE = 56  # px of the shrunk image: side of the tiles; a tile with one label needs no probabilities


def enlarged(
    state: ImageState, image: NDArray[np.uint8], labels: NDArray[np.int64], part: Window | None = None
) -> NDArray[np.int64]:
    """Return the labels of the full image, or of a part of it.

    Args:
        state: of the shrunk image, (h, w).
        image: (H, W, 3) uint8 RGB, the full image, at least as large.
        labels: (h, w), region in [0, N) or VOID: those of the state, but for pixels that were changed since.
        part: of the full image; None: all of it. The labels do not depend on it.

    Returns:
        (H, W) int64, or those of the part, region in [0, N) or VOID. A pixel that a person has decided keeps its label
        in the whole square that it becomes. So does a pixel that was changed, but for its edges.
    """
    full = image.shape[0], image.shape[1]
    spread = state.spread.apart() if state.spread else None
    flow = Diffusion(0, dilations=[], learned=False)
    steps = max(1, round(full[0] / state.size[0] / STEP))
    part = part or Window(0, 0, full[1], full[0])
    result = np.empty((part.bottom - part.top, part.right - part.left), np.int64)
    for tile in windows_of(state.size, TILE):
        target = _common(_scaled(tile, state.size, full), part)
        if target is None:
            continue
        around = target.grown(steps * flow.reach, full)  # on which the labels of the target depend
        source = _seen(around, state.size, full)
        near = labels[source.top : source.bottom, source.left : source.right]
        rows, columns = (slice(*(end - part[axis] for end in target[axis::2])) for axis in (1, 0))
        here = rows, columns
        names = np.unique(near)
        if len(names) == 1:
            result[here] = names[0]
            continue
        shares, decided = _shares(state, spread, source, near, names)
        larger, held = _resized(shares, decided, source, around, state.size, full)
        pixels = torch.from_numpy(image[around.top : around.bottom, around.left : around.right].copy())  # writable
        weights = flow.affinities(flow.embed(pixels.permute(2, 0, 1)[None], None)[0])
        for _ in range(steps):
            larger = flow(larger, weights, held)
        best = first_best(larger)[1].numpy()
        y, x = target.top - around.top, target.left - around.left
        result[here] = names[best[y : y + target.bottom - target.top, x : x + target.right - target.left]]
    return result


def _scaled(tile: Window, seen: tuple[int, int], full: tuple[int, int]) -> Window:
    """Return the pixels of the full image that a tile becomes; neighbouring tiles share none."""
    y, x = full[0] / seen[0], full[1] / seen[1]
    return Window(round(tile.left * x), round(tile.top * y), round(tile.right * x), round(tile.bottom * y))


def _common(one: Window, other: Window) -> Window | None:
    """Return the pixels that two windows share; None: there are none."""
    shared = Window(*map(max, one[:2], other[:2]), *map(min, one[2:], other[2:]))
    return shared if shared.left < shared.right and shared.top < shared.bottom else None


def _seen(window: Window, seen: tuple[int, int], full: tuple[int, int]) -> Window:
    """Return the pixels of the shrunk image on which a window of the full one depends."""
    y, x = seen[0] / full[0], seen[1] / full[1]
    touched = Window(int(window.left * x), int(window.top * y), ceil(window.right * x), ceil(window.bottom * y))
    return touched.grown(1, seen)


def _shares(
    state: ImageState,
    spread: SpreadState | None,
    window: Window,
    labels: NDArray[np.int64],
    names: NDArray[np.int64],
) -> tuple[Tensor, NDArray[np.bool_]]:
    """Return the probabilities (n, h, w) of the labels of a window, and where a person has decided (h, w).

    Where the labels are not those of the network, their probability is 1. Pixels that were painted by hand have the
    probabilities of the network: the painted ones are exact at the full size already, and their surroundings should
    not follow them.
    """
    decided = state.decided.in_tile(spread.around(window) if spread else window, state.size[1])
    given = window, state.states.logits(), state.states.boxes(), decided, state.decided.locked
    contest = compete(*given, background=state.canvas.background, spread=spread)
    shares = torch.zeros(len(names), *labels.shape)
    known = np.isin(contest.regions, names)
    shares[np.searchsorted(names, contest.regions[known])] = contest.probabilities.cpu().float()[known]
    if names[0] == VOID:
        shares[0] = 1 - contest.probabilities.cpu().float()[contest.regions < state.count].sum(dim=0)
    by_hand = state.decided.by_hand
    free = np.zeros(labels.shape, bool)
    if by_hand is not None:
        free = by_hand.owners[window.top : window.bottom, window.left : window.right] != VOID
    predicted = np.where(contest.region_map < state.count, contest.region_map, VOID)
    changed = torch.from_numpy((predicted != labels) & ~free)
    certain = torch.from_numpy(labels == names[:, None, None])
    return torch.where(changed, certain.float(), shares), (state.decided.in_tile(window, state.size[1]) != VOID) & ~free


def _resized(
    shares: Tensor,
    decided: NDArray[np.bool_],
    source: Window,
    target: Window,
    seen: tuple[int, int],
    full: tuple[int, int],
) -> tuple[Tensor, Tensor]:
    """Return probabilities (n, h, w) of a window of the shrunk image at the pixels of one of the full image.

    Decided pixels (h, w) become whole squares, which are returned, too (h', w').
    """
    y, x = full[0] / seen[0], full[1] / seen[1]
    larger = resize_to(shares, (source.left * x, source.top * y, source.right * x, source.bottom * y), target)
    rows, columns = (
        ((torch.arange(target[axis], target[2 + axis]) + 0.5) / scale).long().clamp(source[axis], source[2 + axis] - 1)
        - source[axis]
        for axis, scale in ((1, y), (0, x))
    )
    held = torch.from_numpy(decided)[rows][:, columns]
    return torch.where(held, shares[:, rows][:, :, columns], larger), held
