"""A whole round on one image as one function of tensors whose shapes depend on no value: a GPU can capture it.

All regions are computed anew, from padded inputs. The labels are those of ``ImageState`` without locks, given classes
and decisions by hand, to rounding.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from fullseg.model.annotation_maps import POINT_RADIUS, SCRIBBLE_RADIUS, disc_grid, draw_points
from fullseg.model.base import Window
from fullseg.model.canvas import OUTSIDE_LOGIT, logits_at, project_to_canvas, region_map_of
from fullseg.model.first_look import boxes_with_pixels, cell_size, compete, crop
from fullseg.model.interactive.round_inputs import ImageInputs, RoundInputs
from fullseg.model.interactive.spread_state import outcome_of_flow
from fullseg.model.kriging import kernel
from fullseg.model.region_segmenter import RegionSegmenter
from fullseg.model.spreading import add_cells
from fullseg.types import VOID

FAR = 1e4  # distance between padded samples of kriging: its kernel is 0 there


class Outcome(NamedTuple):
    """The outcome of a round."""

    logits: Tensor  # (N, mask_size, mask_size) float32, of the head
    labels: Tensor  # (H, W) int16, region in [0, N), or VOID


def run_round(segmenter: RegionSegmenter, image: ImageInputs, given: RoundInputs, *, hold_scribbles: bool) -> Outcome:
    """Segment an image.

    Args:
        segmenter: in evaluation mode; any head, with or without a second look, kriging and diffusion.
        image: its inputs.
        given: the annotations, on the device of the image.
        hold_scribbles: every pixel on the line of a scribble belongs to the scribble's region.
    """
    size = image.size
    pixels = _line_pixels(given.lines, size)
    logits = _logits(segmenter, image, given, pixels)
    with torch.autocast(logits.device.type, enabled=False):
        canvas = project_to_canvas(logits, given.boxes, size)
        if image.cells is not None:
            canvas = _add_kriging(segmenter, image, given, logits, canvas)
        owners = _line_owners(given.lines, pixels, size) if hold_scribbles else None
        return Outcome(logits, _winners(segmenter, image, canvas, owners).to(torch.int16))


def first_answers(segmenter: RegionSegmenter, image: ImageInputs, given: RoundInputs) -> Tensor:
    """Return the answers to the extreme points alone: (N, h, w) probabilities, see ``first_look.compete``.

    Args:
        segmenter: in evaluation mode, with ``second_look``.
        image: its inputs.
        given: ``pack`` of the extreme points without scribbles, on the device of the image.
    """
    cell = cell_size(image.size)
    nothing = given.regions.new_zeros(len(given.regions), *(-(-side // cell) for side in image.size))
    pixels = _line_pixels(given.lines, image.size)
    logits = _logits(segmenter, image, given._replace(answers=nothing), pixels)
    return compete(logits, given.boxes, image.size)


def _logits(segmenter: RegionSegmenter, image: ImageInputs, given: RoundInputs, pixels: Tensor) -> Tensor:
    """Run the head; ``pixels`` of ``_line_pixels``. Returns (N, mask_size, mask_size) float32."""
    with torch.autocast(pixels.device.type, enabled=False):
        rois = _rois(segmenter, image, given, pixels)
    return segmenter.head(rois, given.boxes, None).logits


def _rois(segmenter: RegionSegmenter, image: ImageInputs, given: RoundInputs, pixels: Tensor) -> Tensor:
    """Draw the annotations, and crop all that the head sees: (N, C', roi_size, roi_size)."""
    (height, width), count, boxes = image.size, len(given.regions), given.boxes
    points = given.regions[:, :8].reshape(-1, 4, 2)
    blank = points.new_zeros(count * height * width + 1)  # the last one is where padding is drawn
    if segmenter.annotation_encoding == "binary":
        regions = torch.arange(4 * count, device=points.device) // 4
        blank = _stamp(blank, points.reshape(-1, 2), regions, POINT_RADIUS, (height, width))
    else:
        blank[:-1] = draw_points(points, (height, width), segmenter.annotation_encoding).flatten()
    own = _stamp(blank.clone(), given.lines[:, :2], given.lines[:, 2].long(), SCRIBBLE_RADIUS, (height, width))
    drawn, own = (flat[:-1].view(count, height, width) for flat in (blank, own))
    shared = {"none": None, "points": drawn, "all": own}[segmenter.share]
    looks = None
    if given.answers is not None:
        reached = boxes_with_pixels(boxes, pixels, width)
        looks = crop(given.answers, boxes, (height, width), segmenter.roi_size) * reached[:, None, None]
    return segmenter.rois(image.features, boxes, own, shared, looks)


def _stamp(flat: Tensor, centres: Tensor, regions: Tensor, radius: float, size: tuple[int, int]) -> Tensor:
    """Set the pixels of discs to 1, in place, in N maps (H, W) one below another and one more value."""
    pixels, keep = disc_grid(centres, regions, radius, size)
    return flat.index_fill_(0, pixels.masked_fill(~keep, len(flat) - 1).flatten(), 1)


def _line_pixels(lines: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the pixels (K,) int64, y * W + x, on the lines (K, 3) of scribbles; H * W for padding."""
    x, y = torch.floor(lines[:, :2] + 0.5).long().unbind(1)
    pixels = y.clamp(0, size[0] - 1) * size[1] + x.clamp(0, size[1] - 1)
    return pixels.masked_fill(lines[:, 2] < 0, size[0] * size[1])


def _line_owners(lines: Tensor, pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """Return on whose line each pixel lies, (H, W) int64 or VOID; where lines cross, the later one has the pixel."""
    latest = pixels.new_full((size[0] * size[1] + 1,), VOID)
    latest.scatter_reduce_(0, pixels, torch.arange(len(pixels), device=pixels.device), "amax")
    latest = latest[:-1].view(size)
    return lines[:, 2].long()[latest.clamp(min=0)].masked_fill(latest == VOID, VOID)


def _add_kriging(
    segmenter: RegionSegmenter, image: ImageInputs, given: RoundInputs, logits: Tensor, canvas: Tensor
) -> Tensor:
    """Add kriging to the canvas (N, H, W)."""
    spreading = segmenter.spreading
    assert spreading is not None
    assert spreading.kriging is not None
    assert image.cells is not None
    cell, cells, shape = spreading.cell(image.features), image.cells.flatten(0, 1), image.cells.shape[:2]
    places, real = given.samples[:, :2], given.samples[:, 2] >= 0
    at_samples = logits_at(logits, given.boxes, places)
    owners = given.samples[:, 2].long().clamp(min=0)
    residuals = spreading.kriging.residuals(at_samples, owners, background=segmenter.background) * real
    apart = FAR * torch.arange(1, len(real) + 1, device=real.device)[:, None]  # so that no sample sees padding
    described = torch.where(real[:, None], spreading.kriging.describe(places, cells, cell, shape[1]), apart)
    weights = spreading.kriging.weights(residuals, described)
    added = (kernel(cells, described) @ weights).T.reshape(-1, *shape)
    return add_cells(canvas, added, cell, Window(0, 0, canvas.shape[2], canvas.shape[1]))


def _winners(segmenter: RegionSegmenter, image: ImageInputs, canvas: Tensor, owners: Tensor | None) -> Tensor:
    """Return the winners (H, W) int64 of the canvas (N, H, W), whose owned pixels, not VOID in (H, W), are certain."""
    background = segmenter.background
    if owners is not None:
        mine = owners == torch.arange(len(canvas), device=canvas.device)[:, None, None]
        canvas = canvas.masked_fill(owners != VOID, OUTSIDE_LOGIT).masked_fill(mine, -OUTSIDE_LOGIT)
    if not image.affinities:
        return region_map_of(canvas, background=background)
    assert segmenter.spreading is not None
    held = torch.zeros_like(canvas[0], dtype=torch.bool) if owners is None else owners != VOID
    flowed = segmenter.spreading.flowed(canvas, list(image.affinities), held, background=background)
    return outcome_of_flow(flowed, canvas, background=background)[1]
