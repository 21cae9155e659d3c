"""The archives of COCO that the paper's tables need: their sizes, hashes and contents."""

from typing import NamedTuple

SERVER = "http://images.cocodataset.org"  # without https: it has no valid certificate, so hashes protect the download


class Archive(NamedTuple):
    """A zip of COCO and what it unpacks to."""

    path: str  # on the server
    size: int  # bytes
    sha256: str  # empty: unknown
    unpacked: int  # bytes on disk, rounded up, including the zips inside it
    outputs: tuple[tuple[str, int], ...]  # path below the data set's folder, number of files in it (0: a file)

    @property
    def name(self) -> str:
        """Return the file name of the zip."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def top(self) -> str:
        """Return the folder that contains all members of the zip."""
        return self.outputs[0][0].split("/")[0]


# COCO publishes no hashes. These hashes and sizes are from TensorFlow Datasets
# (tensorflow_datasets/url_checksums/coco.txt). torchvision's prototypes and others have the same.
TRAIN2017 = Archive(
    "zips/train2017.zip",
    19_336_861_798,
    "69a8bb58ea5f8f99d24875f21416de2e9ded3178e903f1f7603e283b9e06d929",
    19_800_000_000,
    (("train2017", 118_287),),
)
VAL2017 = Archive(
    "zips/val2017.zip",
    815_585_330,
    "4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05",
    850_000_000,
    (("val2017", 5_000),),
)
TRAIN2014 = Archive(
    "zips/train2014.zip",
    13_510_573_713,
    "ede4087e640bddba550e090eae701092534b554b42b05ac33f0300b984b31775",
    13_850_000_000,
    (("train2014", 82_783),),
)
PANOPTIC2017 = Archive(
    "annotations/panoptic_annotations_trainval2017.zip",
    860_725_834,
    "c05f76d2129b6b561eb70efe16e7006df62f73fb92889132d373b9d90e31a370",
    2_600_000_000,
    (
        ("annotations/panoptic_train2017", 118_287),
        ("annotations/panoptic_val2017", 5_000),
        ("annotations/panoptic_train2017.json", 0),
        ("annotations/panoptic_val2017.json", 0),
    ),
)
INSTANCES2017 = Archive(
    "annotations/annotations_trainval2017.zip",
    252_907_541,
    "113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268",
    900_000_000,
    (("annotations/instances_train2017.json", 0), ("annotations/instances_val2017.json", 0)),
)
INSTANCES2014 = Archive(
    "annotations/annotations_trainval2014.zip",
    252_872_794,
    "031296bbc80c45a1d1f76bf9a90ead27e94e99ec629208449507a4917a3bf009",
    900_000_000,
    (("annotations/instances_train2014.json", 0), ("annotations/instances_val2014.json", 0)),
)

PARTS: dict[str, tuple[Archive, ...]] = {
    "panoptic2017": (TRAIN2017, VAL2017, PANOPTIC2017),  # Table 2
    "instances2017": (VAL2017, INSTANCES2017),  # Table 1, evaluation
    "instances2014": (TRAIN2014, INSTANCES2014),  # Table 1, training
}


def archives_of(parts: list[str]) -> list[Archive]:
    """Return the archives of some parts, each once, the largest first.

    An archive and its unpacked files are on the disk together, so this order needs the least space.
    """
    return sorted({archive for part in parts for archive in PARTS[part]}, key=lambda archive: -archive.size)
