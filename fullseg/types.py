"""What travels between the simulated annotator, the data, the model and its users.

Coordinates, everywhere in fullseg: x runs to the right and y downwards, both in pixels of the image. Maps are indexed
``[y, x]``.

- Points are pixel centres. Pixel (x, y) covers [x - 0.5, x + 0.5) x [y - 0.5, y + 0.5), so an image of H x W pixels
  covers [-0.5, W - 0.5) x [-0.5, H - 0.5), and ``floor(point + 0.5)`` is the pixel of a point.
- Box edges are pixel corners. A box (x0, y0, x1, y1) holds the pixels x0 to x1 - 1 and y0 to y1 - 1. As points, its
  corners are (x0 - 0.5, y0 - 0.5) and (x1 - 0.5, y1 - 0.5); its width is x1 - x0.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor  # commands that need no PyTorch start seconds faster

VOID = -1  # a pixel of no region, or one whose region is unknown: never trained on, never scored
BACKGROUND = -2  # what certainly is of none of the regions, a negative for each of them: a pixel of a truth, a scribble


def inside_image(points: NDArray[np.floating], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which points lie on the pixels of an image, its outermost edges included.

    Args:
        points: (..., 2) float, (x, y) in pixels.
        size: (H, W) of the image in pixels.

    Returns:
        (...,) bool, false for a point with NaN.
    """
    height, width = size
    inside: NDArray[np.bool_] = np.all((points >= -0.5) & (points <= (width - 0.5, height - 0.5)), axis=-1)
    return inside


class Scribble(NamedTuple):
    """A stroke that starts inside a region and shows how to extend it."""

    region: int  # in [0, N); for a ``Predictor`` also BACKGROUND: the pixels are of none of the regions
    points: NDArray[np.float32]  # (K, 2), (x, y) in pixels of the image, in drawing order


class Annotations(NamedTuple):
    """All that an annotator gave for one image of N regions."""

    extreme_points: NDArray[np.float32]  # (N, 4, 2), (x, y) in pixels: left, top, right, bottom
    scribbles: list[Scribble]  # in drawing order

    def scaled(self, x: float, y: float) -> "Annotations":
        """Return the annotations of the image resized by the factors ``x`` and ``y``."""
        factors = np.array([x, y], np.float32)

        def scale(points: NDArray[np.float32]) -> NDArray[np.float32]:
            return (points + np.float32(0.5)) * factors - np.float32(0.5)  # points are centres of pixels

        strokes = [stroke._replace(points=scale(stroke.points)) for stroke in self.scribbles]
        return Annotations(scale(self.extreme_points), strokes)


class Decisions(NamedTuple):
    """What a person decided about single pixels of an image, beside annotations and locked regions."""

    owners: NDArray[np.int64]  # (H, W), the pixel's region in [0, N); BACKGROUND: it has none; VOID: undecided
    barred: Mapping[int, NDArray[np.bool_]]  # per region pixels (H, W) that it cannot have, unless ``owners`` says so
    evidence: int = 0  # so many of the last scribbles only show the network a region; it need not have their pixels

    # Beside what its evidence tells the network, a decision changes no other pixel.

    def over(self, region_map: NDArray[np.int64], decided: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return a region map (H, W) with the pixels of another one, ``decided``, where something was decided."""
        here = self.owners != VOID
        for mask in self.barred.values():
            here = here | mask
        return np.where(here, decided, region_map)


class SampleKey(NamedTuple):
    """Identifies a sample of a run. All randomness about it is seeded from this key and the run's seed."""

    epoch: int  # of training; 0 in evaluation
    index: int  # type: ignore[assignment]  # of the sample in its split; hides tuple.index


class Sample(NamedTuple):
    """One image with one partition of it into N regions, and the extreme points simulated from it."""

    key: SampleKey
    name: str  # of the image, and of the partition if the image has several; for messages
    image: NDArray[np.uint8]  # (H, W, 3) RGB
    region_map: NDArray[np.int64]  # (H, W), region in [0, N), VOID or BACKGROUND
    classes: NDArray[np.int64]  # (N,), in [0, number of classes)
    extreme_points: NDArray[np.float32]  # (N, 4, 2), (x, y) in pixels: left, top, right, bottom
    partly: bool = False  # only some regions of the image are annotated; a pixel may be of none of them


class Batch(NamedTuple):
    """B samples with M regions; the N regions of the first sample come first, then those of the second, and so on."""

    keys: "Tensor"  # (B, 2) int64, epoch and index of every sample
    images: "Tensor"  # (B, 3, H, W) uint8 RGB
    region_maps: "Tensor"  # (B, H, W) int64, region of its own sample in [0, N), VOID or BACKGROUND
    partly: "Tensor"  # (B,) bool, whether only some regions of the image are annotated
    regions_per_image: "Tensor"  # (B,) int64, N of every sample; their sum is M
    extreme_points: "Tensor"  # (M, 4, 2) float32, (x, y) in pixels: left, top, right, bottom
    scribble_points: "Tensor"  # (P, 2) float32, (x, y) in pixels, the points of S scribbles one after another
    scribble_lengths: "Tensor"  # (S,) int64, number of points of every scribble; their sum is P
    scribble_regions: "Tensor"  # (S,) int64 in [0, M), region of every scribble
    classes: "Tensor"  # (M,) int64, in [0, number of classes)
    names: tuple[str, ...]  # B names
    skipped: tuple[str, ...]  # messages about samples that could not be read and were replaced


class Category(NamedTuple):
    """A class of regions."""

    id: int  # in the files; inside fullseg a class is its position among the categories
    name: str
    isthing: bool
