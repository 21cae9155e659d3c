"""Measures where the time of a training step goes, part by part."""

import time
from collections.abc import Callable
from functools import wraps
from itertools import pairwise
from typing import Any, NamedTuple

import lightning as L
import torch

PARTS = {  # in the order of a step
    "data": "wait for data",
    "counterpart": "counterpart's prediction",
    "scribbles": "wait for scribbles",
    "backbone": "backbone",
    "regions": "annotation maps, RoIAlign",
    "head": "head",
    "loss": "canvas and loss",
    "backward": "backward",
    "optimizer": "clipping and optimiser",
}
OUTSIDE = "outside"  # the time between epochs, which counts for no part


class Mark(NamedTuple):
    """The time at which one part ended and the next one began."""

    ended: str
    time: float | torch.cuda.Event  # in seconds on a CPU


class StepParts(L.Callback):
    """Logs the mean time of each part of a step as ``train/seconds_<part>``, over the steps since the last log.

    Every moment of a step belongs to exactly one part, so the parts add up to the step. ``data`` includes Lightning's
    work between two steps. On a GPU, CUDA events separate the parts. ``data`` is then the time that the GPU was idle,
    and only logging waits for the GPU. The first step of a run is a warm-up and does not count.
    """

    def __init__(self) -> None:
        self.part, self.marks = OUTSIDE, list[Mark]()
        self.on_gpu = False
        self.steps = -1  # since the last log; the first step does not count
        self.all_steps = 0
        self.all_seconds = dict.fromkeys(PARTS, 0.0)
        self.undo: list[Callable[[], None]] = []

    def seconds_per_step(self) -> dict[str, float]:
        """Return the mean seconds of each part over all measured steps; empty without a step."""
        return {part: total / self.all_steps for part, total in self.all_seconds.items() if self.all_steps}

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Begin to time the methods that are parts of a step."""
        segmenter: Any = module.segmenter
        self.on_gpu = module.device.type == "cuda"
        self._watch(segmenter, "region_inputs", "regions", "regions")
        self._watch(segmenter, "head", "head", "loss")
        scribbler: Any = getattr(trainer.datamodule, "scribbler", None)  # type: ignore[attr-defined]
        if scribbler is not None:
            self._watch(scribbler, "start", "counterpart", "scribbles")
            self._watch(scribbler, "finish", "scribbles", "data")

    def on_train_epoch_start(self, *_: Any) -> None:  # noqa: ANN401
        """Begin to wait for data. The evaluation before this does not count."""
        self.part = OUTSIDE
        self._begin("data")

    def on_train_batch_start(self, *_: Any) -> None:  # noqa: ANN401
        """The batch is there: the forward pass begins."""
        self._begin("backbone")

    def on_before_backward(self, *_: Any) -> None:  # noqa: ANN401
        """The loss is there: the backward pass begins."""
        self._begin("backward")

    def on_after_backward(self, *_: Any) -> None:  # noqa: ANN401
        """The gradients are there: the optimiser begins."""
        self._begin("optimizer")

    def on_train_batch_end(self, trainer: L.Trainer, module: L.LightningModule, *_: Any) -> None:  # noqa: ANN401
        """Count the step. Log if Lightning logs the other metrics, too."""
        self._begin("data")
        self.steps += 1
        if self.steps == 0:
            self.marks = self.marks[-1:]
        elif trainer.global_step % trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            for part, seconds in self._add_up().items():
                module.log(f"train/seconds_{part}", seconds, batch_size=1)

    def on_train_end(self, *_: Any) -> None:  # noqa: ANN401
        """Add up the rest, and stop timing."""
        if self.steps > 0:
            self._add_up()
        self._unwatch()

    def on_exception(self, *_: Any) -> None:  # noqa: ANN401
        """Stop timing."""
        self._unwatch()

    def _begin(self, part: str) -> None:
        if part == self.part:
            return
        now: float | torch.cuda.Event
        if self.on_gpu:
            now = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            now.record()
        else:
            now = time.perf_counter()
        self.marks.append(Mark(self.part, now))
        self.part = part

    def _add_up(self) -> dict[str, float]:
        """Return the mean seconds of each part since the last call."""
        last = self.marks[-1].time
        if isinstance(last, torch.cuda.Event):
            last.synchronize()
        seconds = dict.fromkeys(PARTS, 0.0)
        for begin, end in pairwise(self.marks):
            if end.ended != OUTSIDE:
                seconds[end.ended] += _seconds_between(begin.time, end.time)
        for part, total in seconds.items():
            self.all_seconds[part] += total
        steps, self.steps, self.marks = self.steps, 0, self.marks[-1:]
        self.all_steps += steps
        return {part: total / steps for part, total in seconds.items()}

    def _watch(self, owner: Any, method: str, inside: str, after: str) -> None:  # noqa: ANN401
        """Let a part begin when a method is called, and another part when it returns. In evaluation nothing happens."""
        original = getattr(owner, method)

        @wraps(original)
        def watched(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401
            counts = inside in ("counterpart", "scribbles") or self.part in ("backbone", "regions", "head")
            if counts:
                self._begin(inside)
            result = original(*arguments, **options)
            if counts:
                self._begin(after)
            return result

        before = vars(owner).get(method)
        setattr(owner, method, watched)
        self.undo.append(lambda: delattr(owner, method) if before is None else setattr(owner, method, before))

    def _unwatch(self) -> None:
        while self.undo:
            self.undo.pop()()


def _seconds_between(begin: float | torch.cuda.Event, end: float | torch.cuda.Event) -> float:
    if isinstance(begin, torch.cuda.Event) and isinstance(end, torch.cuda.Event):
        return float(begin.elapsed_time(end)) / 1000
    assert isinstance(begin, float)
    assert isinstance(end, float)
    return end - begin
