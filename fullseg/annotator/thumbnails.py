"""Small pictures of images with their regions. Each is made once per state, and the model is never asked for it."""

import colorsys
import functools
import hashlib
import io
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fullseg.annotator.export import exported_labels
from fullseg.annotator.images import read_thumbnail
from fullseg.annotator.workspace import Workspace
from fullseg.formats.atomic import replacing

FOLDER = ".thumbnails"  # in the annotator's output; hidden, so that no picture is taken for an image
SIDE = 160  # px along the longer side
OPACITY = 0.5  # of the regions
HUES, SATURATION, LIGHTNESS = 10, 0.8, (0.58, 0.66, 0.5)  # as in ``colours.js``


class Thumbnails:
    """The pictures of a workspace's images.

    Those of regions alone are kept on disk. They come from labels that the page has just seen, or from an export.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.folder = workspace.out / FOLDER
        self._lock = threading.Lock()  # guards the kept pictures

    def png(self, name: str, revision: int) -> tuple[bytes, bool]:
        """Return a picture of an image as PNG, and whether its regions are those of this revision.

        If no labels of this revision are at hand, its regions are those of an earlier one, or there are none.
        """
        pixels = _pixels(self.workspace.path(name), self.workspace.key(name))
        with self._lock:
            regions, exact = self._regions(name, revision, (pixels.shape[0], pixels.shape[1]))
        if regions is not None:
            regions = regions.resize((pixels.shape[1], pixels.shape[0]), Image.Resampling.NEAREST)
            drawn = np.asarray(regions, np.float32)
            alpha = OPACITY * drawn[..., 3:] / 255
            pixels = np.round(alpha * drawn[..., :3] + (1 - alpha) * pixels).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        return file.getvalue(), exact

    def _regions(self, name: str, revision: int, size: tuple[int, int]) -> tuple[Image.Image | None, bool]:
        """Return a picture of the regions alone, or None, and whether it is of this revision."""
        if revision == 0:
            return None, True
        found = self.workspace.labels_at_hand(name, revision)
        if found is not None:
            opened, labels = found
            return self._keep(name, revision, labels.region_map, [one.id for one in opened.work.regions], size), True
        kept = self._kept(name)
        exported = exported_labels(self.workspace.out, name) if revision not in kept else None
        if exported is not None and exported[0] == revision:
            full = np.asarray(Image.open(exported[1]), np.int64) - 1
            return self._keep(name, revision, full, range(1, int(full.max(initial=0)) + 2), size), True
        newest = max((number for number in kept if number <= revision), default=None)
        return (Image.open(kept[newest]), newest == revision) if newest is not None else (None, False)

    def _keep(
        self, name: str, revision: int, labels: NDArray[np.int64], ids: Sequence[int], size: tuple[int, int]
    ) -> Image.Image:
        """Draw labels (H, W) at a size (h, w), and keep the picture instead of those of other revisions."""
        rows, columns = (np.arange(new) * old // new for new, old in zip(size, labels.shape, strict=True))
        palette = np.array([(0, 0, 0, 0), *(_colour(number) for number in ids)], np.uint8)
        drawn = Image.fromarray(palette[labels[np.ix_(rows, columns)] + 1])
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self._kept(name).values():
            path.unlink(missing_ok=True)
        with replacing(self.folder / f"{_start(name)}-{revision}.png") as partial:
            drawn.save(partial, "PNG")
        return drawn

    def _kept(self, name: str) -> dict[int, Path]:
        """Return the kept pictures of an image by their revisions."""
        paths = self.folder.glob(f"{_start(name)}-*.png")
        return {int(path.stem.rpartition("-")[2]): path for path in paths}


@functools.lru_cache(1024)
def _pixels(path: Path, key: str) -> NDArray[np.uint8]:  # noqa: ARG001  another file has another key
    return read_thumbnail(path, SIDE)


def _start(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def _colour(number: int) -> tuple[int, ...]:
    """Return the colour that the page gives to a region first."""
    hue = round(number * HUES * 0.618) % HUES / HUES
    rgb = colorsys.hls_to_rgb(hue, LIGHTNESS[number // HUES % len(LIGHTNESS)], SATURATION)
    return (*(round(255 * channel) for channel in rgb), 255)
