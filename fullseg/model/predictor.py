"""The trained model behind a plain interface: image and annotations in, region map out. No training code needed."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fullseg.model.canvas import hold_locked, hold_scribbles, probabilities_of, project_to_canvas, region_map_of
from fullseg.model.segmenter import RegionSegmenter, Strokes
from fullseg.types import VOID, Annotations, Scribble

REGIONS_AT_ONCE = 32  # bounds the head's memory whatever N


class Predictor:
    """Segments one image at a time; its features are computed once, however often its annotations change.

    Args:
        segmenter: trained.
        categories: the classes it was trained on, each with ``id``, ``name`` and ``isthing``.
        device: torch device to run on.
        hold_scribbles: give every pixel on a scribble's line to its region, whatever the network says.
    """

    def __init__(
        self, segmenter: RegionSegmenter, categories: list[dict[str, Any]], device: str, *, hold_scribbles: bool
    ) -> None:
        self.segmenter = segmenter.eval().to(device)
        self.categories = categories
        self.device = torch.device(device)
        self.hold_scribbles = hold_scribbles
        self._features: Tensor | None = None
        self._size = (0, 0)
        self._canvas: Tensor | None = None
        self._classes: NDArray[np.int64] | None = None

    @classmethod
    def from_checkpoint(cls, path: str | Path, device: str = "cpu", *, hold_scribbles: bool = True) -> "Predictor":
        """Load a checkpoint of ``fullseg train``.

        Args:
            path: ``best.ckpt`` or ``last.ckpt`` of a run, or the run's folder (its best checkpoint).
            device: ``cpu``, ``cuda``, ``cuda:1``, ...
            hold_scribbles: give every pixel on a scribble's line to its region, whatever the network says.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if the file is not a checkpoint of fullseg.
        """
        path = Path(path)
        path = path / "checkpoints" / "best.ckpt" if path.is_dir() else path
        if not path.is_file():
            raise FileNotFoundError(f"no checkpoint {path}")
        try:
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
            options = checkpoint["hyper_parameters"]
            segmenter = RegionSegmenter(**{**options["model"], "pretrained": False})
            prefix = "segmenter."
            state = {k.removeprefix(prefix): v for k, v in checkpoint["state_dict"].items() if k.startswith(prefix)}
            segmenter.load_state_dict(state)
        except (RuntimeError, OSError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
            raise ValueError(f"{path} is no whole checkpoint of fullseg train: {error}") from error
        return cls(segmenter, options["categories"], device, hold_scribbles=hold_scribbles)

    @torch.inference_mode()
    def set_image(self, image: NDArray[np.uint8]) -> None:
        """Compute the features of an image; predictions until the next call are about it.

        Args:
            image: (H, W, 3) uint8 RGB.

        Raises:
            ValueError: for another shape or type.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
            raise ValueError(f"image is {image.shape} {image.dtype}, expected (H, W, 3) uint8 RGB")
        pixels = torch.from_numpy(np.ascontiguousarray(image)).to(self.device).permute(2, 0, 1)[None]
        self._features = self.segmenter.backbone(pixels)[0]
        self._size = (image.shape[0], image.shape[1])
        self._canvas = self._classes = None

    @torch.inference_mode()
    def predict(
        self, annotations: Annotations, *, locked: Mapping[int, NDArray[np.bool_]] | None = None
    ) -> NDArray[np.int64]:
        """Segment the image.

        Args:
            annotations: extreme points of all N regions, and any scribbles.
            locked: pixels (H, W) of regions in [0, N) that have just these, whatever the network says.

        Returns:
            (H, W) int64, region in [0, N), VOID where no region's box covers the pixel.

        Raises:
            RuntimeError: before ``set_image``.
            ValueError: for annotations of a wrong shape, outside the image, or of a region that is not in [0, N).
        """
        if self._features is None:
            raise RuntimeError("call set_image before predict")
        points, strokes = self._check(annotations)
        if len(points) == 0:
            self._canvas, self._classes = torch.zeros((0, *self._size)), np.zeros(0, np.int64)
            return np.full(self._size, VOID, np.int64)
        rois, boxes = self.segmenter.region_inputs(self._features, points, strokes, self._size)
        parts = [
            self.segmenter.head(roi, box, None)
            for roi, box in zip(torch.split(rois, REGIONS_AT_ONCE), torch.split(boxes, REGIONS_AT_ONCE), strict=True)
        ]
        self._canvas = project_to_canvas(torch.cat([part.logits for part in parts]), boxes, self._size)
        if self.hold_scribbles:
            hold_scribbles(self._canvas, *strokes)
        hold_locked(self._canvas, {region: torch.from_numpy(pixels) for region, pixels in (locked or {}).items()})
        classes = [part.class_logits.argmax(dim=1) for part in parts if part.class_logits is not None]
        self._classes = torch.cat(classes).cpu().numpy() if classes else np.zeros(len(points), np.int64)
        region_map: NDArray[np.int64] = region_map_of(self._canvas).cpu().numpy()
        return region_map

    def probabilities(self) -> NDArray[np.float32]:
        """Return the probability of every region at every pixel in the last prediction (Eq. 1).

        Returns:
            (N, H, W) float32; sums to 1 over regions, all 0 where no box covers the pixel.

        Raises:
            RuntimeError: before ``predict``.
        """
        if self._canvas is None:
            raise RuntimeError("call predict before probabilities")
        probabilities: NDArray[np.float32] = probabilities_of(self._canvas).cpu().numpy()
        return probabilities

    def classes(self) -> NDArray[np.int64]:
        """Return the predicted class (N,) of every region in the last prediction, an index into ``categories``.

        Raises:
            RuntimeError: before ``predict``.
        """
        if self._classes is None:
            raise RuntimeError("call predict before classes")
        return self._classes

    def _check(self, annotations: Annotations) -> tuple[Tensor, Strokes]:
        points = np.asarray(annotations.extreme_points, np.float32)
        if points.ndim != 3 or points.shape[1:] != (4, 2):
            raise ValueError(f"extreme_points are {points.shape}, expected (N, 4, 2)")
        for region, quad in enumerate(points):
            self._check_inside(quad, f"region {region}: extreme point")
        paths = [self._check_scribble(scribble, len(points)) for scribble in annotations.scribbles]
        strokes = Strokes(
            points=torch.from_numpy(np.concatenate([np.zeros((0, 2), np.float32), *paths])).to(self.device),
            lengths=torch.tensor([len(path) for path in paths], dtype=torch.int64, device=self.device),
            regions=torch.tensor([s.region for s in annotations.scribbles], dtype=torch.int64, device=self.device),
        )
        return torch.from_numpy(points).to(self.device), strokes

    def _check_scribble(self, scribble: Scribble, num_regions: int) -> NDArray[np.float32]:
        path = np.asarray(scribble.points, np.float32)
        if not 0 <= scribble.region < num_regions:
            raise ValueError(f"scribble of region {scribble.region}, but there are {num_regions} regions")
        if path.ndim != 2 or path.shape[1] != 2 or len(path) == 0:
            raise ValueError(f"scribble of region {scribble.region}: points are {path.shape}, expected (K, 2), K >= 1")
        self._check_inside(path, f"scribble of region {scribble.region}: point")
        return path

    def _check_inside(self, points: NDArray[np.float32], what: str) -> None:
        height, width = self._size
        inside = (points >= -0.5) & (points <= (width, height))  # false for NaN
        if not inside.all():
            x, y = points[~inside.all(axis=1)][0]
            raise ValueError(f"{what} (x={x:g}, y={y:g}) lies outside the image of {width} x {height} pixels (W x H)")
