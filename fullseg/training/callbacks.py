"""Callbacks of training that log the speed of steps and draw pictures of evaluation images."""

import time
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
from lightning.pytorch.loggers import WandbLogger
from PIL import Image

from fullseg.formats.annotation_file import write_annotations
from fullseg.pictures import draw_panels
from fullseg.tracking.wandb_run import PICTURES
from fullseg.types import VOID, Annotations, Batch


class Throughput(L.Callback):
    """Logs images per second, and the fractions of time for waiting for data and for the counterpart's predictions."""

    def __init__(self) -> None:
        self.waited, self.images = 0.0, 0
        self.predicted = 0.0  # seconds that the counterpart had predicted before this epoch
        self.first = self.mark = time.perf_counter()

    def on_train_epoch_start(self, trainer: L.Trainer, *_: Any) -> None:  # noqa: ANN401
        """Start the clocks. The evaluation between epochs does not count."""
        self.waited, self.images = 0.0, 0
        self.predicted = _predicting(trainer)
        self.first = self.mark = time.perf_counter()

    def on_train_batch_start(self, trainer: L.Trainer, module: L.LightningModule, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002
        """Count the time since the last step as waiting."""
        self.waited += time.perf_counter() - self.mark
        self.images += len(batch.images)

    def on_train_batch_end(self, trainer: L.Trainer, module: L.LightningModule, *_: Any) -> None:  # noqa: ANN401
        """Log speed and fractions."""
        self.mark = time.perf_counter()
        seconds = self.mark - self.first
        module.log("train/images_per_second", trainer.world_size * self.images / seconds, batch_size=1)
        predicting = _predicting(trainer) - self.predicted
        module.log("train/data_wait", (self.waited - predicting) / seconds, batch_size=1)
        if predicting:
            module.log("train/counterpart", predicting / seconds, batch_size=1)


def _predicting(trainer: L.Trainer) -> float:
    """Return the seconds that the counterpart has predicted so far. This is work, so it does not count as waiting."""
    scribbler = getattr(trainer.datamodule, "scribbler", None)  # type: ignore[attr-defined]
    return scribbler.predicting if scribbler else 0.0


class Pictures(L.Callback):
    """Draws the first evaluation images at each evaluation, and keeps one with its annotations as an example.

    Args:
        folder: the run folder. Its ``figures/`` gets the pictures of the newest evaluation. ``example.png`` and
            ``example.json`` are an image and its annotations for ``fullseg predict``.
        count: number of images.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count = folder, count

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        module: L.LightningModule,  # noqa: ARG002
        outputs: Any,  # noqa: ANN401  Lightning's signature
        batch: Batch,
        batch_idx: int,
        *_: Any,  # noqa: ANN401
    ) -> None:
        """Draw one image."""
        if not trainer.is_global_zero or batch_idx >= self.count or outputs is None:
            return
        name, image = Path(batch.names[0]).stem, batch.images[0].permute(1, 2, 0).cpu().numpy()
        points, truth = batch.extreme_points.cpu().numpy(), batch.region_maps[0].cpu().numpy()
        prediction = outputs.cpu().numpy()
        (self.folder / "figures").mkdir(exist_ok=True)
        draw_panels(image, points, prediction, truth).save(self.folder / "figures" / f"{name}.png")
        if batch_idx == 0:
            Image.fromarray(image).save(self.folder / "example.png")
            write_annotations(self.folder / "example.json", Annotations(points, []))
        both = (("prediction", prediction), ("truth", truth))
        masks = {key: {"mask_data": np.maximum(regions, VOID) - VOID} for key, regions in both}  # 0: VOID
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                key = f"{PICTURES}{batch_idx}"  # one key per image: W&B needs one size per key
                logger.log_image(key, [image], step=trainer.global_step, masks=[masks], caption=[name])
