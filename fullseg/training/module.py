"""Lightning around the region segmenter: loss, optimiser and metrics; no layer and no formula."""

import math
import time
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.optim import Optimizer
from torchmetrics import MeanMetric

from fullseg.metrics.region_iou import RegionIoU, region_iou
from fullseg.model.base import Regions
from fullseg.model.boxes import box_area
from fullseg.model.canvas import project_to_canvas, region_map_of
from fullseg.model.factory import make_segmenter
from fullseg.model.losses import LOSSES, PixelwiseLoss
from fullseg.types import VOID, Batch


class SegmenterModule(L.LightningModule):
    """Trains and evaluates a network.

    Args:
        model: of ``make_segmenter``.
        config: the run's whole configuration as plain values, kept in the checkpoint.
        categories: id, name and isthing of every class, kept in the checkpoint.
    """

    def __init__(self, model: dict[str, Any], config: dict[str, Any], categories: list[dict[str, Any]]) -> None:  # noqa: ARG002
        super().__init__()
        self.save_hyperparameters(logger=False)  # plain values only, so the checkpoint reloads by itself
        self.segmenter = make_segmenter(model)
        self.mix_classes = model.get("mix_classes", False)
        loss = LOSSES[config["loss"]]
        self.loss = loss(background=model["background"]) if loss is PixelwiseLoss else loss()
        self.options = config["optimizer"]
        # Steps of the whole run; asking Lightning would start the loader before a resumed run's state is there.
        self.total_steps = 0
        self.images_per_step = 0  # over all ranks
        self.region_iou = RegionIoU()
        self.independent_iou = RegionIoU() if config["loss"] != "pixelwise" else None
        self.filled_iou = RegionIoU()
        self.class_accuracy = MeanMetric() if self.segmenter.knows_classes else None
        self.seconds = MeanMetric()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:  # noqa: ARG002  Lightning's signature
        """Return the loss of one batch: the mean over its images."""
        # Mixed maps are trained as they are used: given the true class, the network would count on what it won't know.
        regions = self.segmenter(batch, None if self.mix_classes else batch.classes)
        counts = batch.regions_per_image.tolist()
        with torch.autocast(self.device.type, enabled=False):
            losses = [
                self.loss(logits, boxes, region_map)
                for logits, boxes, region_map in zip(
                    regions.logits.split(counts), regions.boxes.split(counts), batch.region_maps, strict=True
                )
            ]
            loss = torch.stack(losses).mean()
            self._log("train/mask_loss", loss)
            if regions.class_logits is not None:
                class_loss = _class_loss(regions.class_logits, batch.classes, batch.regions_per_image)
                self._log("train/class_loss", class_loss)
                loss = loss + self.options["class_loss_weight"] * class_loss
        self._log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor | None:  # noqa: ARG002  Lightning's signature
        """Score one image at its own resolution; return its region map (H, W), None if it could not be read."""
        truth, size = batch.region_maps[0], (batch.images.shape[2], batch.images.shape[3])
        count = len(batch.classes)
        if count == 0:
            return None
        start = self._now()
        regions: Regions = self.segmenter(batch, None)
        canvas = project_to_canvas(regions.logits, regions.boxes, size)
        prediction = region_map_of(canvas, background=self.segmenter.background)
        self.seconds.update(self._now() - start)
        area = torch.bincount(truth[truth >= 0], minlength=count)
        self.region_iou.update(region_iou(prediction, truth, count), area)
        if self.class_accuracy is not None and regions.class_logits is not None:
            self.class_accuracy.update(regions.class_logits.argmax(dim=1) == batch.classes)
        if self.independent_iou is not None:
            self.independent_iou.update(_independent_iou(canvas, truth), area)
        if self.trainer.state.fn == "validate":  # once, before training: what the boxes alone are worth
            self.filled_iou.update(region_iou(_fill_boxes(regions.boxes, size), truth, count), area)
        return prediction

    def on_validation_epoch_end(self) -> None:
        """Log means over all images of all ranks; a rank that could read none of its images takes part, too."""
        for name, value in self.region_iou.compute().items():
            self.log(f"val/{name}", value.float(), prog_bar=name == "iou")
        self.region_iou.reset()
        if self.independent_iou is not None:
            self.log("val/iou_independent", self.independent_iou.compute()["iou"].float())
            self.independent_iou.reset()
        if self.trainer.state.fn == "validate":
            self.log("val/iou_box_filling", self.filled_iou.compute()["iou"].float())
            self.filled_iou.reset()
        if self.class_accuracy is not None:
            self.log("val/class_accuracy", self.class_accuracy.compute())
            self.class_accuracy.reset()
        self.log("val/seconds_per_image", self.seconds.compute())
        self.seconds.reset()

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW with a lower rate for the pretrained part, linear warm-up, cosine decay."""
        parts = self.segmenter.backbone_parts()
        pretrained = [weight for part in parts for weight in part.parameters() if weight.requires_grad]
        ids = {id(parameter) for parameter in pretrained}
        others = [p for p in self.segmenter.parameters() if p.requires_grad and id(p) not in ids]
        base = self.options["base_batch"] or self.images_per_step
        growth = math.sqrt(self.images_per_step / base)
        groups = [
            {"params": others, "lr": growth * self.options["learning_rate"]},
            {"params": pretrained, "lr": growth * self.options["backbone_learning_rate"]},
        ]
        fused = self.device.type in ("cpu", "cuda")  # all weights are of floating point there
        optimizer = torch.optim.AdamW(groups, weight_decay=self.options["weight_decay"], fused=fused)
        warmup, total = int(self.options["warmup_steps"]), self.total_steps

        def rate(step: int) -> float:
            rise = min(1.0, (step + 1) / (warmup + 1))
            done = min(1.0, max(0, step - warmup) / max(1, total - warmup))
            return rise * 0.5 * (1 + math.cos(math.pi * done))

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,  # noqa: ARG002  Lightning's signature
    ) -> None:
        """Clip the norm; in mixed precision Lightning refuses to with a fused AdamW, which could undo fp16's scale."""
        if gradient_clip_val:
            weights = [weight for group in optimizer.param_groups for weight in group["params"]]
            torch.nn.utils.clip_grad_norm_(weights, gradient_clip_val)

    def _log(self, name: str, value: Tensor, *, prog_bar: bool = False) -> None:
        self.log(name, value.detach(), prog_bar=prog_bar, batch_size=1)

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


def _class_loss(class_logits: Tensor, classes: Tensor, regions_per_image: Tensor) -> Tensor:
    """Cross-entropy: mean over the regions of each image, then over images, so that ranks may share them in any way."""
    weight = (1 / regions_per_image).repeat_interleave(regions_per_image)
    return (weight * F.cross_entropy(class_logits, classes, reduction="none")).sum() / len(regions_per_image)


def _independent_iou(canvas: Tensor, truth: Tensor) -> Tensor:
    """IoU (N,) of every region's mask alone: logit > 0 in its box, whatever the other regions say."""
    scored = truth != VOID
    mask = (canvas > 0) & scored
    wanted = truth == torch.arange(len(canvas), device=truth.device)[:, None, None]
    return (mask & wanted).sum(dim=(1, 2)).double() / (mask | wanted).sum(dim=(1, 2)).double()


def _fill_boxes(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Baseline: every pixel goes to the smallest box that covers it."""
    return region_map_of(project_to_canvas(-box_area(boxes).log()[:, None, None], boxes, size))
