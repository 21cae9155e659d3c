"""Facts about a person's strokes, and about those that the simulated annotator would draw for the same errors."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from fullseg.annotator.actions import Scribbles
from fullseg.annotator.segmentation import segment
from fullseg.formats.image_file import read_image, shrink
from fullseg.journals.courses import Course
from fullseg.journals.replay import by_strokes_alone
from fullseg.journals.targets import lines, targets
from fullseg.model.predictor import Predictor
from fullseg.simulation.errors import ErrorRegion, error_regions, pixels_of
from fullseg.simulation.noise import Noise, disturb_scribble
from fullseg.simulation.randomness import EVALUATION, seeded
from fullseg.simulation.scribbles import simulate_scribbles
from fullseg.study.corrections import lengths_of
from fullseg.types import VOID, Scribble

DRAWS = 8  # scribbles that are simulated for the error of one stroke
CORE = np.ones((3, 3), np.uint8)  # the line of a stroke alone, 1 px wide, is no part of a region


class Facts(NamedTuple):
    """Facts about S strokes."""

    length: NDArray[np.float64]  # (S,), in pixels; 0 for a dot
    outside: NDArray[np.float64]  # (S,), part of its pixels that are not of its region, in [0, 1]
    elsewhere: NDArray[np.bool_]  # (S,), whether most of its pixels are of one other region
    start: NDArray[np.float64]  # (S,), distance of its first point from its region's border in pixels, 0 outside

    @classmethod
    def joined(cls, parts: Sequence["Facts"]) -> "Facts":
        """Return the facts of several images as one."""
        return cls(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


class Ground(NamedTuple):
    """The finished labels, prepared for facts about strokes."""

    core: NDArray[np.int64]  # (h, w), the labels without what is thinner than 3 px: VOID there
    depth: NDArray[np.float32]  # (h, w), distance of each pixel from the nearest border of two regions in pixels

    @classmethod
    def of(cls, region_map: NDArray[np.int64]) -> "Ground":
        """Prepare labels (h, w). A morphological opening of each region removes what is thin."""
        labels = region_map.astype(np.float32)
        inner = (cv2.erode(labels, CORE) == cv2.dilate(labels, CORE)).astype(np.uint8)
        core = np.where(cv2.dilate(inner, CORE) > 0, region_map, VOID)
        labels = core.astype(np.float32)
        inside = (cv2.erode(labels, CORE) == cv2.dilate(labels, CORE)).astype(np.uint8)
        depth = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        return cls(core, np.asarray(depth, np.float32))


class Seen(NamedTuple):
    """One image as a person corrected it, stroke by stroke."""

    truth: NDArray[np.int64]  # (h, w), the finished labels
    ground: Ground
    regions: int  # N
    strokes: list[Scribble]  # that met an error of their region
    targets: list[ErrorRegion]  # the error that each of them was drawn for
    pixels: list[NDArray[np.int64]]  # of each of these errors, y * w + x
    importance: NDArray[np.float64]  # of this error among all: 0 for the most important one, 1 for the least
    again: NDArray[np.bool_]  # whether the stroke before, of all strokes, was of the same region


def see(course: Course, predictor: Predictor) -> Seen:
    """Show an image's strokes to a model, one by one, and find the error that each was drawn for."""
    predictor.set_image(shrink(read_image(course.path)))
    work = by_strokes_alone(course.work)
    strokes, found, importance, again = [], [], [], []
    for number, scribble in enumerate(work.annotations().scribbles):
        shown = work._replace(strokes=work.strokes[:number])
        errors = error_regions(course.truth, segment(predictor, shown, {}).region_map, len(work.regions))
        [at] = targets([scribble], errors, work.size)
        if at is not None:
            strokes.append(scribble)
            found.append(errors[at])
            importance.append(at / max(1, len(errors) - 1))
            again.append(number > 0 and work.strokes[number - 1].region == work.strokes[number].region)
    return Seen(
        course.truth,
        Ground.of(course.truth),
        len(work.regions),
        strokes,
        found,
        [pixels_of([target], work.size[1])[0] for target in found],
        np.array(importance, np.float64),
        np.array(again, bool),
    )


def every_stroke(course: Course) -> list[Scribble]:
    """Return all strokes that the person drew, also those that were undone, of regions that are there in the end."""
    place = {region.id: index for index, region in enumerate(course.work.regions)}
    drawn = [
        stroke for entry in course.entries if isinstance(entry.action, Scribbles) for stroke in entry.action.strokes
    ]
    return [Scribble(place[one.region], np.array(one.points, np.float32)) for one in drawn if one.region in place]


def facts(strokes: Sequence[Scribble], ground: Ground) -> Facts:
    """Return the facts about the S strokes of one image."""
    if not strokes:
        return Facts(np.zeros(0), np.zeros(0), np.zeros(0, bool), np.zeros(0))
    core, depth = ground
    height, width = core.shape
    outside, elsewhere, start = [], [], []
    for stroke, pixels in zip(strokes, lines(strokes, (height, width)), strict=True):
        there = core.ravel()[pixels]
        known = there[there != VOID]
        outside.append(float(np.mean(known != stroke.region)) if len(known) else 0.0)
        most = np.bincount(known).argmax() if len(known) else stroke.region
        elsewhere.append(bool(most != stroke.region and np.mean(known == most) > 0.5))
        x, y = np.floor(stroke.points[0] + 0.5).astype(int).clip(0, (width - 1, height - 1))
        start.append(float(depth[y, x]) if core[y, x] == stroke.region else 0.0)
    return Facts(lengths_of(strokes), np.array(outside), np.array(elsewhere, bool), np.array(start))


def simulated(seen: Seen, seed: int, index: int) -> Iterator[list[Scribble]]:
    """Yield ``DRAWS`` times a scribble of the simulated annotator for the error of each stroke.

    Args:
        seen: the image.
        seed: of the simulated annotator.
        index: number of the image.
    """
    for draw in range(DRAWS):
        rng = seeded(seed, EVALUATION, 2, index, draw)
        # The errors are of different predictions, so each is drawn for by itself.
        yield [simulate_scribbles(seen.truth, [target], rng)[0] for target in seen.targets]


def those_that_meet(strokes: Sequence[Scribble], seen: Seen) -> list[Scribble]:
    """Return those of the scribbles for the errors of an image that still lie on their error."""
    if not strokes:
        return []
    pixels = zip(lines(strokes, (seen.truth.shape[0], seen.truth.shape[1])), seen.pixels, strict=True)
    return [stroke for stroke, (line, target) in zip(strokes, pixels, strict=True) if np.isin(line, target).any()]


def disturbed(strokes: Sequence[Scribble], seen: Seen, noise: Noise, rng: np.random.Generator) -> list[Scribble]:
    """Return scribbles as an annotator with some noise draws them."""
    return [disturb_scribble(one, seen.regions, seen.truth.shape, noise, rng) for one in strokes]
