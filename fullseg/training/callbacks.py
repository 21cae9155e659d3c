"""What happens beside the steps: speed, pictures, the table at the end."""

import time
from pathlib import Path
from typing import Any

import lightning as L  # noqa: N812  its own convention
from lightning.pytorch.loggers import WandbLogger
from torch import Tensor

from fullseg.training.pictures import draw_panels
from fullseg.types import VOID, Batch


class Throughput(L.Callback):
    """Logs images/s and the fraction of time that steps wait for data."""

    def __init__(self) -> None:
        self.waited, self.images = 0.0, 0
        self.first = self.mark = time.perf_counter()

    def on_train_epoch_start(self, *_: Any) -> None:  # noqa: ANN401
        """Start the clocks: what came before was evaluation."""
        self.waited, self.images = 0.0, 0
        self.first = self.mark = time.perf_counter()

    def on_train_batch_start(self, trainer: L.Trainer, module: L.LightningModule, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002
        """The batch is here: what passed since the last one was waiting."""
        self.waited += time.perf_counter() - self.mark
        self.images += len(batch.images)

    def on_train_batch_end(self, trainer: L.Trainer, module: L.LightningModule, *_: Any) -> None:  # noqa: ANN401
        """Log with the other metrics."""
        self.mark = time.perf_counter()
        seconds = self.mark - self.first
        module.log("train/images_per_second", trainer.world_size * self.images / seconds, batch_size=1)
        module.log("train/data_wait", self.waited / seconds, batch_size=1)


class Pictures(L.Callback):
    """Draws the first evaluation images after every evaluation, always the same ones.

    Args:
        folder: png files go there; the newest evaluation's stay.
        count: number of images.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count = folder, count
        self.panels: list[tuple[str, Any]] = []

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        module: L.LightningModule,  # noqa: ARG002
        outputs: Tensor | None,
        batch: Batch,
        batch_idx: int,
        *_: Any,  # noqa: ANN401
    ) -> None:
        """Draw one image."""
        if not trainer.is_global_zero or batch_idx >= self.count or outputs is None:
            return
        prediction = outputs.cpu().numpy()
        image = batch.images[0].permute(1, 2, 0).cpu().numpy()
        points, truth = batch.extreme_points.cpu().numpy(), batch.region_maps[0].cpu().numpy()
        self.panels.append((batch.names[0], draw_panels(image, points, prediction, truth)))
        for logger in trainer.loggers:
            if not isinstance(logger, WandbLogger):
                continue
            masks = {name: {"mask_data": regions - VOID} for name, regions in (("prediction", prediction), ("truth", truth))}
            logger.log_image(f"val/{batch.names[0]}", [image], masks=[masks])

    def on_validation_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:  # noqa: ARG002
        """Write the files."""
        if self.panels:
            self.folder.mkdir(parents=True, exist_ok=True)
        for name, panel in self.panels:
            panel.save(self.folder / f"val_{Path(name).stem}.png")
        self.panels = []
