"""Lightning around a network: it chooses loss, optimiser and metrics. Layers and formulas are in other files."""

import time
from functools import partial
from pathlib import Path
from typing import IO, Any, Self

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.optim import Optimizer
from torchmetrics import MeanMetric

from fullseg.metrics.mean_iou import RegionIoU
from fullseg.metrics.region_iou import independent_iou, region_iou
from fullseg.model.base import Regions, images_of
from fullseg.model.canvas import fill_boxes, region_map_of
from fullseg.model.factory import make_segmenter, without_initial_weights
from fullseg.model.losses import LOSSES, PixelwiseLoss, class_loss
from fullseg.training.schedule import (
    growth_with_batch,
    images_per_step,
    parameter_groups,
    steps_of_warmup,
    warmup_then_cosine,
)
from fullseg.types import VOID, Batch


class SegmenterModule(L.LightningModule):
    """Trains and evaluates a network. All arguments are plain values, because the checkpoint keeps them.

    Args:
        model: name and arguments of the network, for ``make_segmenter``.
        config: the whole configuration of the run.
        categories: ``id``, ``name`` and ``isthing`` of every class.
        initial_weights: load the initial weights that ``model`` names, for example of ImageNet.
    """

    def __init__(
        self,
        model: dict[str, Any],
        config: dict[str, Any],
        categories: list[dict[str, Any]],  # noqa: ARG002  kept in the checkpoint
        *,
        initial_weights: bool = True,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["initial_weights"], logger=False)
        self.segmenter = make_segmenter(model if initial_weights else without_initial_weights(model))
        self.mix_classes = model.get("mix_classes", False)
        self.loss = LOSSES[config["loss"]]()
        self.options = config["optimizer"]
        if self.options["backbone_learning_rate"] == 0:
            self.segmenter.freeze_backbone()
        # The loss looks at the canvas on which annotations have spread, if they do.
        self.on_canvas = isinstance(self.loss, PixelwiseLoss) and self.segmenter.spreading is not None
        self.region_iou = RegionIoU()
        self.independent_iou = RegionIoU() if config["loss"] != "pixelwise" else None
        self.filled_iou = RegionIoU()
        self.class_accuracy = MeanMetric() if self.segmenter.knows_classes else None
        self.seconds = MeanMetric()

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: str | Path | IO[bytes], *args: Any, **kwargs: Any) -> Self:  # noqa: ANN401
        """Load a checkpoint of ``fullseg train`` or of any Trainer; arguments as Lightning's.

        This asks for no initial weights: the checkpoint has all of them.
        """
        return super().load_from_checkpoint(checkpoint_path, *args, **{"initial_weights": False, **kwargs})

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:  # noqa: ARG002  Lightning's signature
        """Return the ``loss`` of one batch, a scalar: the mean over its images.

        In sessions of the data module the prediction goes back to it, and the next round of scribbles corrects it.
        """
        # Mixed maps are trained without the true classes, because a prediction does not know them.
        regions = self.segmenter(batch, None if self.mix_classes else batch.classes)
        with torch.autocast(self.device.type, enabled=False):
            loss, region_maps = (
                self._canvas_losses(regions, batch) if self.on_canvas else self._mask_losses(regions, batch)
            )
            self._log("train/mask_loss", loss)
            if regions.class_logits is not None:
                of_classes = class_loss(regions.class_logits, batch.classes, batch.regions_per_image)
                self._log("train/class_loss", of_classes)
                loss = loss + self.options["class_loss_weight"] * of_classes
        self._log("train/loss", loss, prog_bar=True)
        if region_maps is not None and self._in_sessions():
            self.trainer.datamodule.answer(region_maps)  # type: ignore[attr-defined]
        return {"loss": loss}

    def _in_sessions(self) -> bool:
        """Return whether the data module trains in sessions, see ``data/sessions.py``."""
        return self._trainer is not None and getattr(self.trainer.datamodule, "in_sessions", False)  # type: ignore[attr-defined]

    def _mask_losses(self, regions: Regions, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Return the loss of the regions' logits; in sessions also the predicted region maps (B, H, W) int64."""
        counts = batch.regions_per_image.tolist()
        images = zip(regions.logits.split(counts), regions.boxes.split(counts), batch.region_maps, strict=True)  # type: ignore[no-untyped-call]
        if isinstance(self.loss, PixelwiseLoss):
            backgrounds = self.segmenter.backgrounds(batch)
            losses = [self.loss(*image, background=each) for image, each in zip(images, backgrounds, strict=True)]
        else:
            losses = [self.loss(*image) for image in images]
        loss = torch.stack(losses).mean()
        if not self._in_sessions():
            return loss, None
        with torch.no_grad():
            maps = [canvas.region_map() for canvas in self.segmenter.canvases(regions, batch)]
        return loss, torch.stack(maps)

    def _canvas_losses(self, regions: Regions, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the loss of the canvases on which annotations have spread, and the region maps (B, H, W) int64."""
        assert isinstance(self.loss, PixelwiseLoss)
        losses, maps = [], torch.full_like(batch.region_maps, VOID)
        for image, canvas in enumerate(self.segmenter.canvases(regions, batch)):
            total = regions.logits.new_zeros(())
            for tile in canvas.tiles():
                total = total + self.loss.of_tile(tile.logits, tile, batch.region_maps[image])
                # Without a loss of its own the head would leave the scribbles to what follows it.
                of_head = self.loss.of_tile(tile.of_head, tile, batch.region_maps[image])
                total = total + self.options["head_weight"] * of_head
                maps[image][tile.pixels()] = tile.region_map()
            losses.append(total / max(1, len(canvas.boxes)))
        return torch.stack(losses).mean(), maps

    def on_validation_epoch_start(self) -> None:
        """Forget the images of an earlier evaluation."""
        for metric in (self.region_iou, self.independent_iou, self.filled_iou, self.class_accuracy, self.seconds):
            if metric is not None:
                metric.reset()

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor | None:  # noqa: ARG002  Lightning's signature
        """Score one image at its own resolution; return the predicted region map (H, W), or None without regions."""
        return self._score(batch)

    def on_validation_epoch_end(self) -> None:
        """Log the means over all images of all ranks, as ``val/...``."""
        self._log_scores("val")

    def on_test_epoch_start(self) -> None:
        """Forget the images of an earlier evaluation."""
        self.on_validation_epoch_start()

    def test_step(self, batch: Batch, batch_idx: int) -> Tensor | None:  # noqa: ARG002  Lightning's signature
        """Score one image, as ``validation_step`` does."""
        return self._score(batch)

    def on_test_epoch_end(self) -> None:
        """Log the means over all images of all ranks, as ``test/...``."""
        self._log_scores("test")

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:  # noqa: ARG002  Lightning's signature
        """Return the predicted region maps (B, H, W) int64 of a batch: region in [0, N) of each image, or VOID."""
        region_maps: Tensor = self.segmenter.region_maps(batch)
        return region_maps

    def _score(self, batch: Batch) -> Tensor | None:
        truth, size = batch.region_maps[0], (batch.images.shape[2], batch.images.shape[3])
        count = len(batch.classes)
        if count == 0:
            return None
        start = self._now()
        regions: Regions = self.segmenter(batch, None)
        contest = next(self.segmenter.canvases(regions, batch))
        canvas = contest.whole()
        prediction = region_map_of(canvas, background=contest.background)
        prediction = self.segmenter.without_islands(prediction, *next(images_of(batch)))
        self.seconds.update(self._now() - start)
        area = torch.bincount(truth[truth >= 0], minlength=count)
        self.region_iou.update(region_iou(prediction, truth, count), area)
        if self.class_accuracy is not None and regions.class_logits is not None:
            self.class_accuracy.update(regions.class_logits.argmax(dim=1) == batch.classes)
        if self.independent_iou is not None:
            self.independent_iou.update(independent_iou(canvas > 0, truth), area)
        if self._fills_boxes():
            self.filled_iou.update(region_iou(fill_boxes(regions.boxes, size), truth, count), area)
        return prediction

    def _log_scores(self, name: str) -> None:
        """Log the means over all images of all ranks. A rank that could read none of its images takes part, too."""
        for key, value in self.region_iou.compute().items():
            self.log(f"{name}/{key}", value.float(), prog_bar=key == "iou")
        if self.independent_iou is not None:
            self.log(f"{name}/iou_independent", self.independent_iou.compute()["iou"].float())
        if self._fills_boxes():
            self.log(f"{name}/iou_box_filling", self.filled_iou.compute()["iou"].float())
        if self.class_accuracy is not None:
            self.log(f"{name}/class_accuracy", self.class_accuracy.compute())
        self.log(f"{name}/seconds_per_image", self.seconds.compute())

    def _fills_boxes(self) -> bool:
        """Return whether the baseline that fills the boxes is scored, too: in any evaluation but those of training."""
        return self.trainer.state.fn != "fit"

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return AdamW with a lower learning rate for the backbone, and its schedule: warm-up, then cosine decay.

        The schedule spans all steps of the Trainer, whatever limits them. A resumed run gets the same one.
        """
        self.trainer.fit_loop.setup_data()  # makes the loaders, whose sizes the next lines need
        growth = growth_with_batch(images_per_step(self.trainer), self.options["base_batch"])
        groups = parameter_groups(self.segmenter, self.options, growth)
        fused = self.device.type in ("cpu", "cuda")  # these devices have a fused AdamW
        optimizer = torch.optim.AdamW(groups, weight_decay=self.options["weight_decay"], fused=fused)
        rate = partial(
            warmup_then_cosine,
            warmup=steps_of_warmup(self.options, self.trainer),
            total=self.trainer.estimated_stepping_batches,
        )
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,  # noqa: ARG002  Lightning's signature
    ) -> None:
        """Clip the norm of the gradient.

        Lightning's own clipping refuses a fused AdamW in mixed precision: it could undo the loss scale of fp16 itself.
        """
        if gradient_clip_val:
            weights = [weight for group in optimizer.param_groups for weight in group["params"]]
            torch.nn.utils.clip_grad_norm_(weights, gradient_clip_val)

    def _log(self, name: str, value: Tensor, *, prog_bar: bool = False) -> None:
        self.log(name, value.detach(), prog_bar=prog_bar, batch_size=1)

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()
