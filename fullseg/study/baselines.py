"""Classical methods that segment an image from the same points and scribbles, without training.

Each is a model of the study: it takes an image and returns a function that turns annotations into a region map. The
number of the round plays no part.
"""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from skimage.filters import sobel
from skimage.segmentation import random_walker, watershed

from fullseg.model.base import Strokes
from fullseg.model.boxes import inside_boxes, region_boxes
from fullseg.study.plan import Model, Predict
from fullseg.types import VOID, Annotations

WALKER_BETA = 130.0  # weight of edges in the image (scikit-image's default)
WALKER_SIDE = 240  # px: images are reduced to this shorter side, for speed
GRABCUT_ROUNDS = 5
UNCLAIMED = 1e-9  # score of a box's pixels that its region does not claim; it decides where no region claims a pixel
GRABCUT_MARGIN = 10  # px: this frame around a box is background for its region


def seeded_watershed(image: NDArray[np.uint8]) -> Predict:
    """Seeded watershed of the gradient's magnitude (Meyer 1991; scikit-image)."""
    grey = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (0, 0), 1)
    gradient = sobel(grey)  # type: ignore[no-untyped-call]

    def segment(annotations: Annotations, _: int) -> NDArray[np.int64]:
        seeds = draw_strokes(annotations, gradient.shape)
        return np.asarray(watershed(gradient, seeds + 1), np.int64) - 1  # type: ignore[no-untyped-call]

    return segment


def walk_randomly(image: NDArray[np.uint8]) -> Predict:
    """Random walker (Grady 2006; scikit-image). A region cannot win a pixel outside its box."""
    size = image.shape[:2]
    scale = min(1.0, WALKER_SIDE / min(size))
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) / 255

    def segment(annotations: Annotations, _: int) -> NDArray[np.int64]:
        seeds = draw_strokes(annotations, size)
        rows, columns = (
            np.minimum((np.arange(n) + 0.5) / scale, length - 1).astype(int)
            for n, length in zip(small.shape[:2], size, strict=True)
        )
        reduced = seeds[np.ix_(rows, columns)]
        present = np.unique(reduced[reduced != VOID])  # a scribble may vanish in the reduced image
        probabilities = np.zeros((len(annotations.extreme_points), *small.shape[:2]))
        if len(present) > 1 and (reduced == VOID).any():  # otherwise the seeds decide alone
            labels = np.searchsorted(present, reduced) + 1
            labels[reduced == VOID] = 0
            probabilities[present] = random_walker(
                small, labels, beta=WALKER_BETA, mode="cg_j", channel_axis=-1, return_full_prob=True, prob_tol=1
            )
        full = np.stack([cv2.resize(p, size[::-1], interpolation=cv2.INTER_LINEAR) for p in probabilities])
        return _claim(full + UNCLAIMED, annotations, seeds)

    return segment


def grab_cut(image: NDArray[np.uint8]) -> Predict:
    """GrabCut (Rother et al. 2004; OpenCV) of every region in its box. The smallest box wins a contested pixel.

    For a region, its own points and scribbles are foreground. Those of other regions, and all pixels outside its box,
    are background.
    """

    def segment(annotations: Annotations, _: int) -> NDArray[np.int64]:
        seeds = draw_strokes(annotations, image.shape[:2])
        boxes = _boxes(annotations, image.shape[:2]).numpy().astype(int)
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        claims = np.zeros((len(boxes), *image.shape[:2]))
        for region, (x0, y0, x1, y1) in enumerate(boxes.tolist()):
            top, left = max(0, y0 - GRABCUT_MARGIN), max(0, x0 - GRABCUT_MARGIN)
            frame = slice(top, y1 + GRABCUT_MARGIN), slice(left, x1 + GRABCUT_MARGIN)
            mask = np.full(seeds[frame].shape, cv2.GC_BGD, np.uint8)
            mask[y0 - top : y1 - top, x0 - left : x1 - left] = cv2.GC_PR_FGD
            mask[(seeds[frame] != VOID) & (seeds[frame] != region)] = cv2.GC_BGD
            mask[seeds[frame] == region] = cv2.GC_FGD
            if (mask == cv2.GC_BGD).any() and (mask != cv2.GC_BGD).any():  # GrabCut fits a colour model to each
                cv2.setRNGSeed(0)
                models = np.zeros((1, 65)), np.zeros((1, 65))
                pixels = np.ascontiguousarray(image[frame])
                cv2.grabCut(pixels, mask, None, *models, GRABCUT_ROUNDS, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
            chosen = (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)
            claims[(region, *frame)] = np.where(chosen, 1, UNCLAIMED) / area[region]
        return _claim(claims, annotations, seeds)

    return segment


BASELINES: dict[str, Model] = {  # by the names in config/strategies.py
    "watershed": seeded_watershed,
    "random_walker": walk_randomly,
    "grabcut": grab_cut,
}


def draw_strokes(annotations: Annotations, size: tuple[int, ...]) -> NDArray[np.int64]:
    """Draw the points and scribbles of N regions.

    Lines are one pixel wide, because the pixel beside an extreme point may belong to another region. Later scribbles
    overwrite earlier ones. Points overwrite scribbles, so that each region keeps a seed.

    Args:
        annotations: of N regions.
        size: (H, W) in pixels.

    Returns:
        (H, W) int64, region in [0, N), VOID where nothing is drawn.
    """
    seeds = np.full(size[:2], VOID, np.int32)
    for scribble in annotations.scribbles:
        path = np.rint(scribble.points).astype(np.int32)[:, None]
        cv2.polylines(seeds, [path], False, scribble.region, 1)
    points = np.rint(annotations.extreme_points).astype(int).clip(0, (size[1] - 1, size[0] - 1))
    for region, quad in enumerate(points.tolist()):
        for x, y in quad:
            seeds[y, x] = region
    return seeds.astype(np.int64)


def _boxes(annotations: Annotations, size: tuple[int, ...]) -> torch.Tensor:
    strokes, points = Strokes.pack(annotations.scribbles), torch.from_numpy(annotations.extreme_points)
    return region_boxes(points, strokes.points, strokes.region_of_points(), (size[0], size[1]))


def _claim(scores: NDArray[np.float64], annotations: Annotations, seeds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the region map (H, W) of scores (N, H, W): per pixel the largest positive score among the boxes there.

    Seeds (H, W) keep their region. A pixel in no box is VOID.
    """
    rows, columns = (inside.numpy() for inside in inside_boxes(_boxes(annotations, seeds.shape), seeds.shape))
    scores = np.where(rows[:, :, None] & columns[:, None, :], scores, 0)
    region_map = np.where(scores.max(axis=0) > 0, scores.argmax(axis=0), VOID)
    return np.where(seeds != VOID, seeds, region_map)
