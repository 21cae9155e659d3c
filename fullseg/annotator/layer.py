"""The layer of decided pixels: which region has a pixel because a person said so, at the size of the image file."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fullseg.annotator.actions import Brush, Hole, Patch, Polygon, Stroke
from fullseg.annotator.edits import Edit, Edits
from fullseg.annotator.masks import patch_pixels
from fullseg.annotator.shapes import Pixels, brush_pixels, polygon_pixels
from fullseg.formats.image_file import enlarge
from fullseg.types import BACKGROUND, VOID, Decisions

UNDECIDED, NOBODY = 0, -1  # in the maps of a layer, where regions have their ids from 1 on
MOST_LAYERS = 3  # that are kept per image: the newest one, and some to which undo and redo lead


class Sizes(NamedTuple):
    """The two sizes of an image, and what has to be known to go from one to the other."""

    full: tuple[int, int]  # (H, W) of the image file
    seen: tuple[int, int]  # (h, w) of the image as the network sees it

    @property
    def same(self) -> bool:
        """Whether the network sees the image at the size of its file."""
        return self.full == self.seen

    def to_full(self, points: object) -> NDArray[np.float64]:
        """Return points (K, 2), (x, y) in pixels of the seen image, in pixels of the file."""
        factors = np.array([there / here for there, here in zip(self.full, self.seen, strict=True)])[::-1]
        return np.asarray((np.array(points, np.float64).reshape(-1, 2) + 0.5) * factors - 0.5)

    def sampled(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows (h,) and columns (w,) of the file on which the centres of the seen pixels lie."""
        rows, columns = (
            np.minimum((2 * np.arange(here) + 1) * there // (2 * here), there - 1)
            for there, here in zip(self.full, self.seen, strict=True)
        )
        return rows, columns

    def shown_by(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return for each row (H,) and column (W,) of the file the one on which the centre of its seen pixel lies."""
        rows, columns = (
            sampled[(2 * np.arange(there) + 1) * here // (2 * there)]
            for sampled, there, here in zip(self.sampled(), self.full, self.seen, strict=True)
        )
        return rows, columns


class Part(NamedTuple):
    """A part of an image file, in pixels; right and bottom exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def whole(cls, size: tuple[int, int]) -> "Part":
        """Return all of a file of H x W pixels."""
        return cls(0, 0, size[1], size[0])

    @property
    def slices(self) -> tuple[slice, slice]:
        """Its rows and columns."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def grown(self, by: int, size: tuple[int, int]) -> "Part":
        """Return it with so many pixels more on all sides, as far as the file of H x W pixels reaches."""
        far = min(size[1], self.right + by), min(size[0], self.bottom + by)
        return Part(max(0, self.left - by), max(0, self.top - by), *far)

    def inside(self, pixels: NDArray[np.int64], width: int) -> NDArray[np.int64]:
        """Return those of the pixels (K,), y * width + x in the file, that lie in it, as y * width + x of its own."""
        y, x = pixels // width, pixels % width
        here = (self.top <= y) & (y < self.bottom) & (self.left <= x) & (x < self.right)
        return (y[here] - self.top) * (self.right - self.left) + x[here] - self.left


class Layer(NamedTuple):
    """All decisions about the pixels of an image file, H x W."""

    sizes: Sizes
    painted: NDArray[np.int32]  # (H, W), id of the region that has the pixel for certain, NOBODY or UNDECIDED
    kept: NDArray[np.int32]  # (H, W), likewise, where the pixel keeps its region until a stroke nearby changes it
    barred: Mapping[int, NDArray[np.int64]]  # by id of a region: (K,), y * W + x in rising order, it cannot have these

    def owners(self, part: Part | None = None) -> NDArray[np.int32]:
        """Return the map (H, W) of all decisions, or those of a part."""
        painted, kept = (maps[part.slices] if part else maps for maps in (self.painted, self.kept))
        return np.where(painted == UNDECIDED, kept, painted)

    def decisions(self, places: Mapping[int, int], *, kept: bool = True) -> Decisions:
        """Return the decisions for the network.

        Args:
            places: the number that the network has for each region, by id.
            kept: with those to keep a pixel.
        """
        rows, columns = self.sizes.sampled()
        painted, under = (maps[rows[:, None], columns] for maps in (self.painted, self.kept))
        owners = np.where(painted == UNDECIDED, under, painted) if kept else painted
        barred = {}
        for region, pixels in self.barred.items():
            if region in places and len(pixels):
                whole = np.zeros(self.sizes.full, bool)
                whole.ravel()[pixels] = True
                barred[places[region]] = whole[rows[:, None], columns]
        return Decisions(as_places(owners, places), barred)


def as_places(owners: NDArray[np.int32], places: Mapping[int, int]) -> NDArray[np.int64]:
    """Return a map of a layer with numbers instead of ids: VOID where undecided, BACKGROUND where nobody has the pixel.

    Args:
        owners: map (H, W) of ids.
        places: number of each region, by id; others become VOID.
    """
    table = np.full(max([int(owners.max(initial=0)), *places]) + 2, VOID, np.int64)
    table[list(places)] = list(places.values())
    table[NOBODY] = BACKGROUND  # the last entry
    return table[owners]


def after(layer: Layer | None, edits: Edits, sizes: Sizes) -> Layer:
    """Return a layer after more decisions; None: there are none yet."""
    if layer is None:
        layer = Layer(sizes, np.zeros(sizes.full, np.int32), np.zeros(sizes.full, np.int32), {})
    if not edits:
        return layer
    changed = Layer(sizes, layer.painted.copy(), layer.kept.copy(), dict(layer.barred))
    for edit in edits:
        _do(edit, changed.painted, changed.kept, changed.barred, sizes)  # type: ignore[arg-type]
    return changed


def _do(
    edit: Edit,
    painted: NDArray[np.int32],
    kept: NDArray[np.int32],
    barred: dict[int, NDArray[np.int64]],
    sizes: Sizes,
) -> None:
    """Apply one decision in place."""
    region = NOBODY if edit.region is None else edit.region
    if edit.shape is None:
        kept[kept == region] = UNDECIDED
        return
    pixels = pixels_of(edit, sizes)
    part, flat = pixels.window, _flat(pixels, sizes.full)
    if isinstance(edit.shape, Brush) and edit.shape.erase:
        for layer in (painted, kept):
            layer[part][pixels.mask & (layer[part] == region)] = UNDECIDED
        barred[region] = np.union1d(barred.get(region, flat[:0]), flat)
        return
    if isinstance(edit.shape, Stroke):  # a later scribble: its line is not what was painted before
        painted[part][pixels.mask] = UNDECIDED
    else:
        (kept if edit.kept else painted)[part][pixels.mask] = region
    if region in barred:
        barred[region] = np.setdiff1d(barred[region], flat, assume_unique=True)


def pixels_of(edit: Edit, sizes: Sizes) -> Pixels:
    """Return the pixels of the image file that a decision is about."""
    shape = edit.shape
    if isinstance(shape, Stroke):
        line = brush_pixels(np.array(shape.points, np.float64), 1, sizes.seen)
        if sizes.same:
            return line
        return Pixels(0, 0, enlarge(line.of(sizes.seen).astype(np.int64), sizes.full) > 0)
    if isinstance(shape, Brush):
        return brush_pixels(sizes.to_full(shape.points), shape.width, sizes.full)
    if isinstance(shape, Polygon):
        return polygon_pixels(sizes.to_full(shape.points), sizes.full)
    patch = shape.patch if isinstance(shape, Hole) else shape
    assert isinstance(patch, Patch)
    return patch_pixels(patch, sizes.full)


def _flat(pixels: Pixels, size: tuple[int, int]) -> NDArray[np.int64]:
    y, x = np.nonzero(pixels.mask)
    return (y + pixels.y0) * size[1] + x + pixels.x0


class Layers:
    """Makes layers, and keeps the last ones, so that one more decision costs only its own pixels.

    Args:
        images: number of images that are worked on at the same time.
    """

    def __init__(self, images: int) -> None:
        self.most = MOST_LAYERS * images
        self._known: list[tuple[str, Edits, Layer]] = []  # key of the image, decisions, layer; the last used comes last

    def of(self, key: str, edits: Edits, sizes: Sizes) -> Layer | None:
        """Return the layer of some decisions about the image of this key; None if there are none."""
        if not edits:
            return None
        fits = [one for one in self._known if one[0] == key and edits[: len(one[1])] == one[1]]
        _, done, layer = max(fits, key=lambda one: len(one[1]), default=(key, (), None))
        found = after(layer, edits[len(done) :], sizes)
        self._known = [one for one in self._known if one[:2] != (key, edits)]
        self._known = [*self._known, (key, edits, found)][-self.most :]
        return found
