"""Islands and holes: small parts of regions, and of what is of no region, that lie loose among other regions."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label

from fullseg.annotator.actions import ActionError, Patch, Point
from fullseg.annotator.edits import imported
from fullseg.annotator.evidence import densified
from fullseg.annotator.layer import Layer, Sizes, as_places
from fullseg.annotator.masks import patch_of
from fullseg.annotator.points import check_inside
from fullseg.annotator.work import Work
from fullseg.types import VOID

if TYPE_CHECKING:
    from fullseg.annotator.workspace import Workspace


@dataclass
class _Part:
    """A connected part of a map: pixels with one label that share edges. Parts of one label may be joined."""

    label: int
    area: int  # px
    held: bool  # whether it holds an annotation
    at_edge: bool  # whether it reaches the edge of the image
    members: list[int]  # numbers of the parts that were joined to this one, and its own
    borders: dict[int, int] = field(default_factory=dict)  # px, length of the border with other parts, by number

    def rank(self) -> tuple[int, int]:
        """Return a key: the larger part is the greater one, of several as large that which comes first in the image."""
        return self.area, -min(self.members)


class Parts:
    """All connected parts of a map, and what loose ones can be given to.

    Args:
        full: (H, W) int64, region in [0, N), or VOID.
        held: (H, W), pixels with an annotation of their region: their parts are not loose.
        locked: regions that neither lose nor get a pixel.
    """

    def __init__(self, full: NDArray[np.int64], held: NDArray[np.bool_], locked: Collection[int]) -> None:
        self.full, self.locked = full, frozenset(locked)
        found = label(full, background=VOID - 1, connectivity=1)  # type: ignore[no-untyped-call]
        self.numbers: NDArray[np.int64] = found.astype(np.int64) - 1  # (H, W)
        count = int(self.numbers.max()) + 1
        areas, labels = np.bincount(self.numbers.ravel(), minlength=count), np.empty(count, np.int64)
        labels[self.numbers] = full
        edge, has = np.zeros(count, bool), np.zeros(count, bool)
        for line in (self.numbers[0], self.numbers[-1], self.numbers[:, 0], self.numbers[:, -1]):
            edge[line] = True
        has[self.numbers[held]] = True
        every = zip(labels.tolist(), areas.tolist(), has.tolist(), edge.tolist(), strict=True)
        self.parts = {number: _Part(*values, members=[number]) for number, values in enumerate(every)}
        for (one, other), length in _borders(self.numbers):
            self.parts[one].borders[other] = length
        self.largest: dict[int, int] = {}  # number of the largest part, by label; of several as large, the first
        for number, part in self.parts.items():
            if part.area > self.parts[self.largest.setdefault(part.label, number)].area:
                self.largest[part.label] = number

    def is_loose(self, number: int) -> bool:
        """Return whether a part is a hole inside the image, or an island: small or large."""
        part = self.parts[number]
        if part.label == VOID:
            return not part.at_edge and not part.held
        return part.label not in self.locked and not part.held and self.largest[part.label] != number

    def target(self, number: int) -> int | None:
        """Return the label with which a part has its longest border, the smallest of several; None: there is none.

        A hole never becomes VOID, and no region that is locked gets it.
        """
        lengths: Counter[int] = Counter()
        for other, length in self.parts[number].borders.items():
            lengths[self.parts[other].label] += length
        allowed = [(-length, one) for one, length in lengths.items() if one not in self.locked]
        return min(allowed)[1] if allowed else None

    def give(self, number: int, to: int) -> int:
        """Join a part to all its neighbours that have this label; return the number of the joined part."""
        part = self.parts[number]
        same = [other for other in part.borders if self.parts[other].label == to]
        into = max(same, key=lambda other: (self.parts[other].area, -other))
        joined, gone = self.parts[into], {number, *same} - {into}
        for one in sorted(gone):
            old = self.parts.pop(one)
            joined.area += old.area
            joined.held, joined.at_edge = joined.held or old.held, joined.at_edge or old.at_edge
            joined.members += old.members
            for other, length in old.borders.items():
                if other != into and other not in gone:
                    joined.borders[other] = joined.borders.get(other, 0) + length
                    self.parts[other].borders[into] = joined.borders[other]
                self.parts.get(other, joined).borders.pop(one, None)
        if self.largest[to] in gone or joined.rank() > self.parts[self.largest[to]].rank():
            self.largest[to] = into
        return into

    def region_map(self) -> NDArray[np.int64]:
        """Return the map (H, W) of all parts as they are now."""
        labels = np.empty(int(self.numbers.max()) + 1, np.int64)
        for part in self.parts.values():
            labels[part.members] = part.label
        return np.asarray(labels[self.numbers])


def _borders(numbers: NDArray[np.int64]) -> Iterator[tuple[tuple[int, int], int]]:
    """Yield each pair of neighbouring parts, both ways, with the number of pixel edges between them."""
    count = int(numbers.max()) + 1
    pairs = [np.zeros(0, np.int64)]
    for here, there in ((numbers[:, :-1], numbers[:, 1:]), (numbers[:-1], numbers[1:])):
        border = here != there
        pairs += [here[border] * count + there[border], there[border] * count + here[border]]
    found, lengths = np.unique(np.concatenate(pairs), return_counts=True)
    yield from zip(
        zip(*(part.tolist() for part in np.divmod(found, count)), strict=True), lengths.tolist(), strict=True
    )


def cleaned(full: NDArray[np.int64], work: Work, layer: Layer | None, below: int) -> tuple[tuple[Patch, ...], int]:
    """Give islands and holes to the neighbours with which they have the longest border, the smallest first.

    An island is a part of a region that is not its largest part and holds no annotation: no extreme point, no point of
    a stroke, no painted pixel. It may become VOID. A hole is VOID, lies inside the image, holds no stroke of no region,
    and becomes part of a region. Locked regions neither lose nor get a pixel.

    Args:
        full: (H, W), region in [0, N), or VOID.
        work: the state of the image, with N regions.
        layer: the decided pixels.
        below: px; islands and holes of this size and larger ones stay.

    Returns:
        For each region that gets pixels, and for VOID, its new pixels; and the number of islands and holes.
    """
    parts, count = Parts(full, _annotated(full, work, layer), _locked(work)), 0
    waiting = [(part.area, number) for number, part in parts.parts.items() if part.area < below]
    heapify(waiting)
    while waiting:
        area, number = heappop(waiting)
        if number not in parts.parts or parts.parts[number].area != area or not parts.is_loose(number):
            continue
        if (to := parts.target(number)) is None:
            continue
        count += 1
        largest = parts.largest[to]
        joined = parts.give(number, to)
        for one in {joined, largest} & parts.parts.keys():  # what was a region's largest part may be an island now
            if parts.parts[one].area < below:
                heappush(waiting, (parts.parts[one].area, one))
    now = parts.region_map()
    changed = now != full
    ids = [*(region.id for region in work.regions), None]  # VOID, -1, picks the last one
    return tuple(patch_of(ids[to], changed & (now == to)) for to in np.unique(now[changed]).tolist()), count


def hole_at(at: Point, full: NDArray[np.int64], work: Work) -> Patch:
    """Return the pixels of the hole or the island at a point, for the region with which it has the longest border.

    Args:
        at: (x, y) in pixels of the image as the network sees it.
        full: (H, W) of the image file, region in [0, N), or VOID.
        work: the state of the image, with N regions.

    Raises:
        ActionError: if there is neither a hole nor an island, or all regions around it are locked.
    """
    check_inside([at], work.size)
    x, y = np.floor(Sizes((full.shape[0], full.shape[1]), work.size).to_full([at])[0] + 0.5).astype(np.int64)
    parts = Parts(full, np.zeros(full.shape, bool), _locked(work))
    number = int(parts.numbers[min(y, full.shape[0] - 1), min(x, full.shape[1] - 1)])
    part = parts.parts[number]
    if not parts.is_loose(number):
        if part.label == VOID:
            raise ActionError("here is no hole: these pixels without a region reach the edge of the image")
        region = work.regions[part.label].id
        raise ActionError(f"here is no hole, but region {region}, which is locked or in one piece")
    part.borders = {other: one for other, one in part.borders.items() if parts.parts[other].label != VOID}
    if (to := parts.target(number)) is None:
        raise ActionError("all regions around this hole are locked: unlock one first")
    return patch_of(work.regions[to].id, parts.numbers == number)


def _locked(work: Work) -> list[int]:
    return [place for place, region in enumerate(work.regions) if region.mask is not None]


def _annotated(full: NDArray[np.int64], work: Work, layer: Layer | None) -> NDArray[np.bool_]:
    """Return the pixels (H, W) that hold an annotation of the region, or of no region, that has them."""
    sizes = Sizes((full.shape[0], full.shape[1]), work.size)
    held, unmarked = np.zeros(full.shape, bool), imported(work.edits)
    places = {region.id: place for place, region in enumerate(work.regions)}
    paths = [(places[one.id], np.array(one.points)) for one in work.regions if one.id not in unmarked]
    for stroke in work.strokes:
        place = VOID if stroke.region is None else places[stroke.region]
        paths.append((place, densified(np.array(stroke.points))))
    for place, path in paths:
        x, y = np.floor(sizes.to_full(path) + 0.5).astype(np.int64).T
        rows, columns = y.clip(0, full.shape[0] - 1), x.clip(0, full.shape[1] - 1)
        held[rows, columns] |= full[rows, columns] == place
    if layer is not None:
        held |= (layer.painted > 0) & (as_places(layer.painted, places) == full)
    return held


def count_loose(workspace: "Workspace", name: str, revision: int, below: int) -> int:
    """Return the number of islands and holes of less than some pixels in the labels of an image.

    Raises:
        StaleError: if the image has a newer revision.
    """
    with workspace.asking(name, revision) as (opened, labeller):
        full = labeller.full(opened, opened.work, labeller.labels(opened))
        layer = labeller.layer(opened, opened.work)
    return cleaned(full, opened.work, layer, below)[1]
