"""Transforms that change an image and its region map together, by albumentations."""

import albumentations as A
import cv2
import numpy as np
from numpy.typing import NDArray

from fullseg.types import BACKGROUND, VOID


def training_transform(*, crop_size: int, scale: tuple[float, float], flip: float, colour: float) -> A.Compose:
    """Return a random resizing, crop, flip and change of colours.

    Args:
        crop_size: side of the result in pixels; a smaller image is padded with black pixels that are VOID.
        scale: lowest and highest factor of the resizing.
        flip: probability of a horizontal flip, in [0, 1].
        colour: probability of a change of brightness, contrast, saturation and hue, in [0, 1].
    """
    return A.Compose(
        [
            A.RandomScale((scale[0] - 1, scale[1] - 1), p=1, mask_interpolation=cv2.INTER_NEAREST_EXACT),
            A.PadIfNeeded(crop_size, crop_size, border_mode=cv2.BORDER_CONSTANT, fill=0, fill_mask=VOID),
            A.RandomCrop(crop_size, crop_size),
            A.HorizontalFlip(p=flip),
            A.ColorJitter(brightness=0.3, contrast=0.3, saturation=0.3, hue=0.05, p=colour),
        ]
    )


def apply_transform(
    transform: A.Compose, image: NDArray[np.uint8], region_map: NDArray[np.int64], seed: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Transform an image and its region map in the same way.

    albumentations gives every worker and every epoch the same random numbers unless it is seeded per item.

    Args:
        transform: of ``training_transform``.
        image: (H, W, 3) uint8 RGB.
        region_map: (H, W) int64, region in [0, N), VOID or BACKGROUND.
        seed: of all randomness.

    Returns:
        The image (S, S, 3) uint8 and the region map (S, S) int64, S being the crop's side. Regions keep their numbers;
        some may have lost all pixels.
    """
    own_seeds = np.random.SeedSequence(seed).generate_state(len(transform.transforms))
    for step, own_seed in zip(transform.transforms, own_seeds, strict=True):
        step.set_random_seed(int(own_seed))  # Compose gives all one seed: flip, colour and crop would be correlated
    result = transform(image=image, mask=region_map.astype(np.int32))  # OpenCV resizes int32, not int64
    return result["image"], result["mask"].astype(np.int64)


def keep_visible_regions(
    region_map: NDArray[np.int64], classes: NDArray[np.int64], min_region_area: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Drop the regions with fewer than ``min_region_area`` pixels, which become VOID, and renumber the others.

    Args:
        region_map: (H, W) int64, region in [0, N), VOID or BACKGROUND.
        classes: (N,) int64.
        min_region_area: in square pixels, at least 1.

    Returns:
        Region map (H, W) and classes (N',) of the N' <= N kept regions, in their old order.
    """
    areas = np.bincount((region_map - BACKGROUND).ravel(), minlength=len(classes) + 2)[2:]
    return _renumber(region_map, classes, areas >= min_region_area, VOID)


def keep_some_regions(
    region_map: NDArray[np.int64], classes: NDArray[np.int64], most: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Keep some regions, chosen at random; the pixels of the others become BACKGROUND.

    Args:
        region_map: (H, W) int64, region in [0, N), VOID or BACKGROUND.
        classes: (N,) int64.
        most: number of regions to keep, at least 1.
        rng: source of all randomness.

    Returns:
        Region map (H, W) and classes of the min(N, ``most``) kept regions, in their old order.
    """
    if len(classes) <= most:
        return region_map, classes
    kept = np.zeros(len(classes), bool)
    kept[rng.choice(len(classes), most, replace=False)] = True
    return _renumber(region_map, classes, kept, BACKGROUND)


def _renumber(
    region_map: NDArray[np.int64], classes: NDArray[np.int64], kept: NDArray[np.bool_], otherwise: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Renumber the regions that are kept (N,); the pixels of the others become ``otherwise``."""
    numbers = np.concatenate([[BACKGROUND, VOID], np.where(kept, np.cumsum(kept) - 1, otherwise)])
    return numbers[region_map - BACKGROUND], classes[kept]
