"""What the benchmark times: fullseg, fullseg that computes everything anew, and other packages that pip can install."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from untrained import untrained

from fullseg.config.load import load_config
from fullseg.model.base import Features, Strokes
from fullseg.model.canvas import project_to_canvas, region_map_of
from fullseg.model.predictor import Predictor
from fullseg.model.segmenter import Segmenter
from fullseg.types import Annotations

PAPER = ("model.backbone=resnet50", "model.features=c4", "model.stride=16", "model.feature_channels=256")
PAPER += ("model.head_dilations=[1,1,1,1]", "model.box_maps=false")
SPREADING = ("model.sharp_channels=16", "model.kriging=learned", "model.diffusion=learned")
REGIONS_AT_ONCE = 32  # limits the memory of the head for any number of regions


class Peer(Protocol):
    """Something that segments an image from annotations."""

    def set_image(self, image: NDArray[np.uint8]) -> None:
        """Do what is done once per image."""

    def update(self, annotations: Annotations) -> None:
        """Segment the image from these annotations."""


def segmenter(*options: str) -> Segmenter:
    """Return an untrained model with the default options, except for those given."""
    return untrained(load_config(None, options)).eval()


def untrained_predictor(device: str, *options: str) -> Predictor:
    """Return a predictor of ``segmenter``."""
    return Predictor(segmenter(*options), [], device, hold_scribbles=True)


def autocast(device: str, precision: torch.dtype) -> torch.autocast:
    """Return PyTorch's autocast to a precision, which does nothing for single precision."""
    return torch.autocast(device, precision, enabled=precision != torch.float32)


class Ours:
    """The predictor of fullseg."""

    def __init__(self, predictor: Predictor, precision: torch.dtype = torch.float32) -> None:
        self.predictor, self.autocast = predictor, autocast(predictor.device.type, precision)

    def set_image(self, image: NDArray[np.uint8]) -> None:
        """Run the backbone."""
        with self.autocast:
            self.predictor.set_image(image)

    def update(self, annotations: Annotations) -> None:
        """Update what has changed."""
        with self.autocast:
            self.predictor.predict(annotations)


class Straightforward:
    """The same model, computing every region and the whole canvas anew."""

    def __init__(self, device: str, *options: str) -> None:
        self.segmenter, self.device = segmenter(*options).to(device), device
        self.features: Features | None = None
        self.size = (0, 0)

    @torch.inference_mode()
    def set_image(self, image: NDArray[np.uint8]) -> None:
        """Run the backbone."""
        self.size = (image.shape[0], image.shape[1])
        self.features = self.segmenter.features(torch.from_numpy(image).to(self.device).permute(2, 0, 1)[None]).of(0)

    @torch.inference_mode()
    def update(self, annotations: Annotations) -> None:
        """Run the head on all regions."""
        assert self.features is not None
        strokes = Strokes.pack(annotations.scribbles).to(self.device)
        points = torch.from_numpy(annotations.extreme_points).to(self.device)
        rois, boxes = self.segmenter.region_inputs(self.features, points, strokes, self.size)
        parts = zip(rois.split(REGIONS_AT_ONCE), boxes.split(REGIONS_AT_ONCE), strict=True)
        logits = torch.cat([self.segmenter.head(roi, box, None).logits for roi, box in parts])
        region_map_of(project_to_canvas(logits, boxes, self.size)).cpu()


class SegmentAnything:
    """SAM ViT-B of transformers with random weights. A region's prompts are its extreme points and a scribble's middle.

    SAM has no canvas: its masks are enlarged to the image, and the largest logit wins.
    """

    def __init__(self, device: str) -> None:
        from transformers import SamConfig, SamModel

        self.model: Any = SamModel(SamConfig()).eval().to(device)
        self.device, self.embedding, self.size = device, torch.zeros(0), (0, 0)

    @torch.inference_mode()
    def set_image(self, image: NDArray[np.uint8]) -> None:
        """Run the image encoder on 1024 x 1024 pixels."""
        self.size = (image.shape[0], image.shape[1])
        pixels = torch.from_numpy(image).to(self.device).permute(2, 0, 1)[None].float()
        pixels = F.interpolate(pixels, size=(1024, 1024), mode="bilinear")
        self.embedding = self.model.get_image_embeddings(pixels)

    @torch.inference_mode()
    def update(self, annotations: Annotations) -> None:
        """Run the mask decoder on all regions."""
        points = torch.from_numpy(annotations.extreme_points).to(self.device)
        last = points.mean(dim=1)
        for scribble in annotations.scribbles:
            last[scribble.region] = torch.from_numpy(scribble.points[len(scribble.points) // 2]).to(self.device)
        prompts = torch.cat([points, last[:, None]], dim=1)[None] * (1024 / max(self.size))
        masks = self.model(image_embeddings=self.embedding, input_points=prompts, multimask_output=False).pred_masks
        F.interpolate(masks[0], size=self.size, mode="bilinear").argmax(dim=0).cpu()


class MaskRCNN:
    """The mask branch of torchvision's Mask R-CNN (ResNet-50 FPN, random weights) on the same boxes, no scribbles."""

    def __init__(self, device: str) -> None:
        from torchvision.models.detection import maskrcnn_resnet50_fpn

        self.model: Any = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None).eval().to(device)
        self.device, self.features, self.size = device, {}, (0, 0)

    @torch.inference_mode()
    def set_image(self, image: NDArray[np.uint8]) -> None:
        """Run the backbone."""
        self.size = (image.shape[0], image.shape[1])
        pixels = torch.from_numpy(image).to(self.device).permute(2, 0, 1)[None].float() / 255
        self.features = self.model.backbone(pixels)

    @torch.inference_mode()
    def update(self, annotations: Annotations) -> None:
        """Run the mask branch on all boxes and paste the masks."""
        from torchvision.models.detection.roi_heads import paste_masks_in_image

        points = torch.from_numpy(annotations.extreme_points).to(self.device)
        boxes, heads = torch.cat([points.amin(dim=1), points.amax(dim=1) + 1], dim=1), self.model.roi_heads
        rois = heads.mask_roi_pool(self.features, [boxes], [self.size])
        masks: Tensor = heads.mask_predictor(heads.mask_head(rois))[:, 1:2].sigmoid()
        paste_masks_in_image(masks, boxes, self.size).argmax(dim=0).cpu()


def peers(device: str) -> dict[str, Callable[[], Peer]]:
    """Return what is timed, fullseg first, by its name in the table."""
    half = torch.bfloat16 if device == "cpu" else torch.float16
    name = str(half).removeprefix("torch.")
    found: dict[str, Callable[[], Peer]] = {
        "fullseg": lambda: Ours(untrained_predictor(device)),
        f"fullseg, {name}": lambda: Ours(untrained_predictor(device), half),
        "photos, whose scribbles spread": lambda: Ours(Predictor.from_checkpoint("photos", device)),
        "fullseg, everything anew": lambda: Straightforward(device),
        "paper's model": lambda: Ours(untrained_predictor(device, *PAPER)),
        f"paper's model, {name}": lambda: Ours(untrained_predictor(device, *PAPER), half),
        "paper's model, everything anew": lambda: Straightforward(device, *PAPER),
        "Mask R-CNN, mask branch": lambda: MaskRCNN(device),
        "SAM ViT-B": lambda: SegmentAnything(device),
    }
    return found
