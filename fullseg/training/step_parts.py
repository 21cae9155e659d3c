"""Where the time of training steps goes, part by part."""

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
OUTSIDE = "outside"  # between epochs


class Mark(NamedTuple):
    """Here one part ends and the next begins."""

    ended: str
    time: float | torch.cuda.Event  # in seconds where there is no GPU


class StepParts(L.Callback):
    """Breaks the time of a step down, logged as ``train/seconds_<part>``: means since they were last logged.

    Every moment of training belongs to one part, so that they add up to the step. On a GPU the parts are cut by CUDA
    events on its own timeline, where ``data`` is the time in which it had nothing to do; only logging waits for them.
    ``data`` has Lightning's bookkeeping between two steps, too. The first step of a run is left out: it warms up.
    """

    def __init__(self) -> None:
        self.part, self.marks = OUTSIDE, list[Mark]()
        self.on_gpu = False
        self.steps = -1  # since the last log; the first step does not count
        self.all_steps = 0
        self.all_seconds = dict.fromkeys(PARTS, 0.0)
        self.undo: list[Callable[[], None]] = []

    def seconds_per_step(self) -> dict[str, float]:
        """Return the mean seconds of every part over all steps measured; none without a step."""
        return {part: total / self.all_steps for part, total in self.all_seconds.items() if self.all_steps}

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Watch where regions, head and scribbles begin and end."""
        segmenter: Any = module.segmenter
        self.on_gpu = module.device.type == "cuda"
        self._watch(segmenter, "region_inputs", "regions", "regions")
        self._watch(segmenter, "head", "head", "loss")
        scribbler: Any = getattr(trainer.datamodule, "scribbler", None)  # type: ignore[attr-defined]
        if scribbler is not None:
            self._watch(scribbler, "start", "counterpart", "scribbles")
            self._watch(scribbler, "finish", "scribbles", "data")

    def on_train_epoch_start(self, *_: Any) -> None:  # noqa: ANN401
        """Begin to wait for data: what came before was evaluation."""
        self.part = OUTSIDE
        self._begin("data")

    def on_train_batch_start(self, *_: Any) -> None:  # noqa: ANN401
        """The batch is here."""
        self._begin("backbone")

    def on_before_backward(self, *_: Any) -> None:  # noqa: ANN401
        """The loss is there."""
        self._begin("backward")

    def on_after_backward(self, *_: Any) -> None:  # noqa: ANN401
        """The gradients are there."""
        self._begin("optimizer")

    def on_train_batch_end(self, trainer: L.Trainer, module: L.LightningModule, *_: Any) -> None:  # noqa: ANN401
        """Count the step; log when the other metrics are logged."""
        self._begin("data")
        self.steps += 1
        if self.steps == 0:
            self.marks = self.marks[-1:]
        elif trainer.global_step % trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            for part, seconds in self._add_up().items():
                module.log(f"train/seconds_{part}", seconds, batch_size=1)

    def on_train_end(self, *_: Any) -> None:  # noqa: ANN401
        """Add up what is left, and watch no more."""
        if self.steps > 0:
            self._add_up()
        self._unwatch()

    def on_exception(self, *_: Any) -> None:  # noqa: ANN401
        """Watch no more."""
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
        """Return the mean seconds of every part since the last time."""
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
        """Begin a part where a method is called and another where it returns; not within evaluation or a prediction."""
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
