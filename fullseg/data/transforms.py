"""Joint transforms of an image and its region map, by albumentations."""

import albumentations as A
import cv2
import numpy as np
from numpy.typing import NDArray

from fullseg.types import BACKGROUND, VOID


def training_transform(*, crop_size: int, scale: tuple[float, float], flip: float, colour: float) -> A.Compose:
    """Return random resizing, crop, flip and colour change.

    Args:
        crop_size: side of the result in pixels; a smaller image is padded with VOID.
        scale: range of the random resizing.
        flip: probability of a horizontal flip.
        colour: probability of a change of brightness, contrast, saturation and hue.
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
    """Transform an image and its region map alike.

    albumentations gives every worker and epoch the same random numbers unless it is seeded for each item.

    Args:
        transform: of ``training_transform``.
        image: (H, W, 3) uint8 RGB.
        region_map: (H, W) int64.
        seed: all randomness follows from it.

    Returns:
        The transformed pair; regions keep their numbers, and some may have lost all pixels.
    """
    own_seeds = np.random.SeedSequence(seed).generate_state(len(transform.transforms))
    for step, own_seed in zip(transform.transforms, own_seeds, strict=True):
        step.set_random_seed(int(own_seed))  # Compose would seed all alike: flip, colour and crop would go together
    result = transform(image=image, mask=region_map.astype(np.int32))  # OpenCV resizes int32, not int64
    return result["image"], result["mask"].astype(np.int64)


def keep_visible_regions(
    region_map: NDArray[np.int64], classes: NDArray[np.int64], min_region_area: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Renumber the regions that still have ``min_region_area`` pixels; smaller ones become VOID.

    Args:
        region_map: (H, W) int64, region in [0, N), VOID or BACKGROUND.
        classes: (N,) int64.
        min_region_area: in square pixels, at least 1.

    Returns:
        Region map and classes of the N' <= N kept regions, in the old order.
    """
    areas = np.bincount((region_map - BACKGROUND).ravel(), minlength=len(classes) + 2)[2:]
    return _renumber(region_map, classes, areas >= min_region_area, VOID)


def keep_some_regions(
    region_map: NDArray[np.int64], classes: NDArray[np.int64], most: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Keep at most ``most`` regions, chosen at random; the pixels of the others become BACKGROUND.

    Args:
        region_map: (H, W) int64, region in [0, N), VOID or BACKGROUND.
        classes: (N,) int64.
        most: at least 1.
        rng: source of all randomness.

    Returns:
        Region map and classes of the min(N, ``most``) kept regions, in the old order.
    """
    if len(classes) <= most:
        return region_map, classes
    kept = np.zeros(len(classes), bool)
    kept[rng.choice(len(classes), most, replace=False)] = True
    return _renumber(region_map, classes, kept, BACKGROUND)


def _renumber(
    region_map: NDArray[np.int64], classes: NDArray[np.int64], kept: NDArray[np.bool_], otherwise: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number the kept (N,) regions anew; the others' pixels become ``otherwise``."""
    numbers = np.concatenate([[BACKGROUND, VOID], np.where(kept, np.cumsum(kept) - 1, otherwise)])
    return numbers[region_map - BACKGROUND], classes[kept]
