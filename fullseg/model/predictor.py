"""A trained model behind a plain interface: image and annotations in, region map out. It needs no training code."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fullseg.errors import CheckpointError
from fullseg.model.annotation_checks import check_annotations
from fullseg.model.base import Features, Window
from fullseg.model.device import check_device
from fullseg.model.factory import change_spreading, load_trained
from fullseg.model.interactive.enlarged import enlarged
from fullseg.model.interactive.image_state import ImageState
from fullseg.model.interactive.own_masks import own_masks
from fullseg.model.released import checkpoint_file
from fullseg.model.segmenter import Segmenter
from fullseg.types import Annotations, Category, Decisions


class Predictor:
    """Segments one image at a time. Its features are computed once, no matter how often its annotations change.

    All methods about the last prediction raise RuntimeError before ``predict``.

    Args:
        segmenter: trained.
        categories: the classes it was trained on.
        device: torch device to run on.
        hold_scribbles: every pixel on the line of a scribble belongs to the scribble's region, even if the network
            gives it to another.
        trained_partly: the model was also trained on images of which only some regions are annotated.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        categories: Sequence[Category],
        device: str,
        *,
        hold_scribbles: bool,
        trained_partly: bool = False,
    ) -> None:
        self.segmenter = segmenter.eval().to(device)
        self.categories = tuple(categories)
        self.device = torch.device(device)
        self.hold_scribbles, self.trained_partly = hold_scribbles, trained_partly
        self._features: Features | None = None
        self._size = (0, 0)
        self._state: ImageState | None = None  # None: nothing has been predicted for these features yet

    @classmethod
    def from_checkpoint(
        cls,
        path: str | Path,
        device: str = "cpu",
        *,
        hold_scribbles: bool = True,
        kriging: str | None = None,
        diffusion: str | None = None,
    ) -> "Predictor":
        """Load a checkpoint of ``fullseg train``, or a released model.

        Args:
            path: ``best.ckpt`` or ``last.ckpt`` of a run, or the run's folder (its best checkpoint), or a file of
                ``fullseg release``, or the name of a model of ``fullseg model list``.
            device: ``cpu``, ``cuda``, ``cuda:1``, ...
            hold_scribbles: every pixel on the line of a scribble belongs to the scribble's region, even if the network
                gives it to another.
            kriging: how annotations act on places that resemble theirs: ``none``, or ``fixed``, which needs no
                training; None: as the model was trained.
            diffusion: how labels flow between neighbouring pixels that look alike, likewise.

        Raises:
            FileNotFoundError: if there is no such file.
            ConfigError: if there is no such device.
            CheckpointError: if the file is not a checkpoint of fullseg, or its model cannot spread annotations so.
        """
        check_device(device)
        path = checkpoint_file(Path(path))
        segmenter, categories, partly = load_trained(path)
        try:
            change_spreading(segmenter, kriging=kriging, diffusion=diffusion)
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from error
        return cls(segmenter, categories, device, hold_scribbles=hold_scribbles, trained_partly=partly)

    @torch.inference_mode()
    def set_image(self, image: NDArray[np.uint8]) -> None:
        """Compute the features of an image, which later predictions are for.

        Args:
            image: (H, W, 3) uint8 RGB.

        Raises:
            ValueError: if the shape or the dtype is another one, or there is no pixel.
        """
        if image.shape[2:] != (3,) or image.dtype != np.uint8 or 0 in image.shape:
            raise ValueError(f"image is {image.shape} {image.dtype}, expected (H, W, 3) uint8 RGB")
        own = np.array(image, order="C")  # the caller may write to the image, or may be unable to, as with PIL's
        pixels = torch.from_numpy(own).to(self.device).permute(2, 0, 1)[None]
        self._features = self.segmenter.features(pixels).of(0)
        self._size = (image.shape[0], image.shape[1])
        self._state = None

    def twin(self) -> "Predictor":
        """Return a predictor of the same image, which shares its features, but has predictions of its own."""
        other = copy.copy(self)
        other.forget()
        return other

    @torch.inference_mode()
    def predict(
        self,
        annotations: Annotations,
        *,
        locked: Mapping[int, NDArray[np.bool_]] | None = None,
        classes: Mapping[int, int] | None = None,
        decisions: Decisions | None = None,
        partly: bool = False,
    ) -> NDArray[np.int64]:
        """Segment the image.

        A call computes only what has changed since the last one. The result is that of a first call, to float rounding.

        Args:
            annotations: extreme points of all N regions, and any scribbles. What a scribble of BACKGROUND goes over,
                and what resembles that, is of none of the regions.
            locked: per locked region in [0, N) its pixels (H, W) bool. It has these and no others.
            classes: per region in [0, N) whose class is known, the index of the class in ``categories``. If the network
                has a map per class, the map of this class is used instead of the predicted one's.
            decisions: what a person decided pixel by pixel. It wins over network and scribbles, but not over locks.
            partly: only some regions are annotated so far. A pixel may then be of none of them, even in a box. A model
                knows where a region ends if ``trained_partly``.

        Returns:
            (H, W) int64, region in [0, N), or VOID: no box covers the pixel, or by single objects, ``partly`` or
            ``decisions`` it is of no region.

        Raises:
            RuntimeError: before ``set_image``.
            DataError: if a point lies outside the image, or a scribble's region is neither in [0, N) nor BACKGROUND.
            ValueError: if an array of the annotations has a wrong shape, or a class does not exist.
        """
        if self._features is None:
            raise RuntimeError("call set_image before predict")
        checked = check_annotations(annotations, self._size)
        if self._state is None:
            self._state = ImageState(
                self.segmenter,
                self._features,
                self._size,
                hold_scribbles=self.hold_scribbles,
                batched=self.device.type != "cpu",
            )
        try:
            self._state.update(checked, locked or {}, self._own_classes(classes or {}), decisions, partly=partly)
        except BaseException:  # Ctrl-C, too: a state that is half updated would give wrong results
            self._state = None
            raise
        return self._state.region_map.copy()

    def _own_classes(self, classes: Mapping[int, int]) -> Mapping[int, int]:
        """Check the given classes and return them, or none of them if the network has one map for all classes."""
        for region, number in classes.items():
            if not 0 <= number < len(self.categories):
                raise ValueError(f"class {number} of region {region}: there are {len(self.categories)} classes")
        return classes if self.segmenter.knows_classes else {}

    def forget(self) -> None:
        """Forget all annotations, so that the bits of the next prediction do not depend on those before it."""
        self._state = None

    @torch.inference_mode()
    def masks(self) -> NDArray[np.bool_]:
        """Return the mask of every region by itself in the last prediction: no region competes with another.

        A mask has the pixels of its box where the head's logit is above 0, and with ``hold_scribbles`` those on the
        region's scribbles. Kriging and diffusion take no part. It means something after training with a loss per mask.

        Returns:
            (N, H, W) bool. A pixel may be in several masks, or in none.
        """
        return own_masks(self._last("masks"))

    @torch.inference_mode()
    def probabilities(self) -> NDArray[np.float32]:
        """Return the probability of every region at every pixel in the last prediction (Eq. 1).

        Returns:
            (N, H, W) float32 in [0, 1]. Where a box covers the pixel they sum to 1 over the regions (less if it may
            be of none of them), elsewhere they are 0.
        """
        return self._last("probabilities").probabilities()

    def certainty(self) -> NDArray[np.float32]:
        """Return how likely each pixel belongs to the region that it has in the last prediction.

        Returns:
            (H, W) float32, a probability; 0 where the pixel has no region.
        """
        return self._last("certainty").certainty()

    def expected_areas(self) -> NDArray[np.float64]:
        """Return the expected area of every region: the sum of its probabilities in the last prediction.

        Returns:
            (N,) float64, in square pixels.
        """
        state = self._last("expected_areas")
        return np.asarray(state.canvas.areas.sum(axis=(0, 1)))[: state.count]

    def classes(self) -> NDArray[np.int64]:
        """Return the class of every region in the last prediction: the given one, else the likeliest.

        Returns:
            (N,) int64, indices into ``categories``; 0 if the network knows no classes.
        """
        return self._last("classes").classes()

    @torch.inference_mode()
    def enlarged(
        self, image: NDArray[np.uint8], labels: NDArray[np.int64], part: tuple[int, int, int, int] | None = None
    ) -> NDArray[np.int64]:
        """Return the labels (H, W) int64 at the size of the full image, along the borders that it shows.

        Args:
            image: (H, W, 3) uint8 RGB, the image of ``set_image`` before it was shrunk.
            labels: (h, w) int64, the last prediction. Pixels may have been changed since.
            part: (left, top, right, bottom) in pixels of the full image: only the labels there. None: all.
        """
        return enlarged(self._last("enlarged"), image, labels, Window(*part) if part else None)

    def _last(self, wanted: str) -> ImageState:
        if self._state is None:
            raise RuntimeError(f"call predict before {wanted}")
        return self._state
