"""Imports BSDS500: natural images, each divided into regions by several people (Arbelaez et al., PAMI 2011)."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat
from skimage.measure import label

from fullseg.data.progress import with_progress
from fullseg.errors import DataError, ImageError
from fullseg.formats.coco_writer import NewSample, import_coco_panoptic
from fullseg.formats.image_file import size_of
from fullseg.types import VOID, Category

MIN_REGION_AREA = 25  # px^2; regions per median partition of val: 20.1 with 1 px^2, 14.5 with 25, 13.0 with 100
CATEGORIES = (Category(id=1, name="region", isthing=True),)  # the data has no classes
FETCH = "fetch BSR_bsds500.tgz of the Berkeley Segmentation Data Set again"


class _Partition(NamedTuple):
    """The partition of one person, without small regions."""

    annotator: int
    region_map: NDArray[np.int64]  # (H, W), region in [0, num_regions) or VOID
    num_regions: int  # at least 1


def import_bsds500(
    root: Path, out: Path, split: str, *, min_region_area: int = MIN_REGION_AREA, exist_ok: bool = False
) -> None:
    """Write one split as COCO panoptic to ``out/split``. The partition of each person is a sample of its own.

    A region is a 4-connected group of pixels with one label. The field ``annotator`` counts from 0 in the order of the
    file. The field ``median`` is true for the person whose number of regions is the (lower) median of the image.

    Args:
        root: has the folders ``images`` and ``groundTruth``, or ``BSDS500/data`` with both, as the original archive.
        out: folder of the imported data set.
        split: ``train``, ``val`` or ``test``; with plus signs between them several as one, for example ``train+val``.
        min_region_area: smaller regions become VOID, in square pixels. Most of them are slips of the drawing hand.
        exist_ok: leave ``out/split`` as it is if it exists.

    Raises:
        DataError: if a folder or file is missing or broken, if a partition has another size than its image, or if
            ``out/split`` exists and ``exist_ok`` is false.
    """
    pairs = [pair for part in split.split("+") for pair in _pairs(*_find(root, part))]
    samples = _samples(pairs, f"BSDS500 {split}", min_region_area)
    import_coco_panoptic(out / split, CATEGORIES, samples, exist_ok=exist_ok)


def connected_regions(labels: NDArray[np.integer], min_region_area: int) -> tuple[NDArray[np.int64], int]:
    """Divide a map of labels into 4-connected regions of one label.

    Args:
        labels: (H, W), any integers.
        min_region_area: smaller regions become VOID, in square pixels.

    Returns:
        (H, W) int64, region in [0, N) or VOID; and N. Regions are numbered in the order of their first pixels.
    """
    signed = labels.astype(np.int64)
    no_label = int(signed.min()) - 1  # label() leaves out one value: here one that no pixel has
    components = label(signed, background=no_label, connectivity=1)  # type: ignore[no-untyped-call]
    large = np.bincount(components.ravel()) >= min_region_area
    large[0] = False  # no pixel has component 0
    numbers = np.where(large, np.cumsum(large) - 1, VOID)
    return numbers[components], int(large.sum())


def _find(root: Path, split: str) -> tuple[Path, Path]:
    bases = (root, root / "BSDS500" / "data")
    for base in bases:
        images, truths = base / "images" / split, base / "groundTruth" / split
        if images.is_dir() and truths.is_dir():
            return images, truths
    looked = " or ".join(str(base / "{images,groundTruth}" / split) for base in bases)
    raise DataError(f"no BSDS500 data: looked for {looked}; set data.root to the folder that holds it")


def _pairs(images: Path, truths: Path) -> list[tuple[Path, Path]]:
    """Return each image of a folder with its partitions, in the order of their names."""
    pairs = [(path, truths / f"{path.stem}.mat") for path in sorted(images.glob("*.jpg"))]
    if not pairs:
        raise DataError(f"no *.jpg in {images}: {FETCH}")
    for image, truth in pairs:
        if not truth.is_file():
            raise DataError(f"{truth} is missing, but there is {image}: {FETCH}, or remove the image")
    return pairs


def _samples(pairs: list[tuple[Path, Path]], title: str, min_region_area: int) -> Iterator[NewSample]:
    for image, truth in with_progress(pairs, title, len(pairs)):
        partitions = []
        for annotator, labels in enumerate(_read_partitions(truth, _size(image))):
            region_map, num_regions = connected_regions(labels, min_region_area)
            if num_regions:
                partitions.append(_Partition(annotator, region_map, num_regions))
        if not partitions:
            warnings.warn(f"{image}: left out, because no region has {min_region_area} px", stacklevel=2)
            continue
        ranked = sorted(partitions, key=lambda partition: (partition.num_regions, partition.annotator))
        median = ranked[(len(ranked) - 1) // 2].annotator
        for annotator, region_map, num_regions in partitions:
            classes = np.zeros(num_regions, dtype=np.int64)
            yield NewSample(image.name, image, region_map, classes, annotator, median=annotator == median)


def _size(path: Path) -> tuple[int, int]:
    try:
        return size_of(path)
    except ImageError as error:
        raise DataError(f"{error}; {FETCH}") from error


def _read_partitions(path: Path, size: tuple[int, int]) -> list[NDArray[np.integer]]:
    try:
        truths = loadmat(path)["groundTruth"]  # (1, annotators) of objects
        partitions = [np.asarray(truth["Segmentation"][0, 0]) for truth in truths.ravel()]
    except Exception as error:  # broken bytes make loadmat raise errors of many kinds
        raise DataError(f"{path} holds no groundTruth with Segmentation ({error}): {FETCH}") from error
    if not partitions:
        raise DataError(f"{path} holds no partition: {FETCH}")
    for annotator, labels in enumerate(partitions):
        if labels.shape != size or not np.issubdtype(labels.dtype, np.integer):
            raise DataError(
                f"{path}, annotator {annotator}: Segmentation is {labels.dtype} {labels.shape}, "
                f"but the image is (height, width) {size}: {FETCH}"
            )
    return partitions
