"""Rounds on a GPU as one CUDA graph each: the GPU starts hundreds of kernels at once, which Python would start singly.

A graph is captured per shape of ``RoundInputs`` and of the image, and replayed whenever the shapes come again. On a CPU
the same function is called directly.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fullseg.model.base import Features, Strokes
from fullseg.model.interactive.padded import Outcome, first_answers, run_round
from fullseg.model.interactive.round_inputs import REGIONS, ImageInputs, RoundInputs, image_inputs, pack
from fullseg.model.region_segmenter import RegionSegmenter
from fullseg.model.segmenter import Segmenter
from fullseg.types import Annotations

WARM_UP = 3  # calls before a capture, in which libraries choose their algorithms and take their memory
MOST_SIZES, MOST_GRAPHS = 4, 8  # sizes of images, and graphs of each; those used longest ago are dropped first
MOST_BYTES = 2**30  # of a canvas (N, H, W) float32; a larger one is not for graphs

Key = tuple[torch.Size, ...]
Kept = TypeVar("Kept")
Result = TypeVar("Result")


class Graph(NamedTuple):
    """A captured round."""

    replay: Callable[[], None]
    given: RoundInputs  # the memory that it reads, besides that of the image
    outcome: Outcome  # the memory that it writes


class Memory(NamedTuple):
    """The image that graphs read, and these graphs by the shapes of their rounds."""

    image: ImageInputs
    graphs: dict[Key, Graph]  # the one used last comes last


class Rounds:
    """Segments images with a fixed network, all regions anew in each round.

    Use it in ``torch.inference_mode``, from one thread at a time.

    Args:
        segmenter: in evaluation mode, on its device.
        hold_scribbles: every pixel on the line of a scribble belongs to the scribble's region.
    """

    def __init__(self, segmenter: RegionSegmenter, *, hold_scribbles: bool) -> None:
        self.segmenter, self.hold_scribbles = segmenter, hold_scribbles
        self.features: Features | None = None  # of the current image
        self.failure: str | None = None  # why rounds on a GPU are not captured; None: they are
        self.again: Callable[[], object] | None = None  # computes the last round once more, to be timed
        self._memory: Memory | None = None  # of the current image
        self._of_size: dict[Key, Memory] = {}  # by the shapes of the image; the one used last comes last
        self._answers: tuple[bytes, Tensor] = b"", torch.zeros(0)  # the second look's, and their extreme points
        self._pool: object = None  # of memory that all graphs share: they run one after another
        self._device = next(segmenter.parameters()).device
        self.captures = self._device.type == "cuda"

    def set_image(self, features: Features) -> None:
        """Compute what all rounds on an image need of it."""
        found = image_inputs(self.segmenter, features)
        self.features, self._answers = features, (b"", torch.zeros(0))
        if not self.captures:
            self._memory = Memory(found, {})
            return
        key = _shapes(found.tensors())
        self._memory = self._of_size.pop(key, None) or Memory(found.copied(), {})
        _keep(self._of_size, key, self._memory, MOST_SIZES)
        _copy(found.tensors(), self._memory.image.tensors())

    def region_map(self, annotations: Annotations) -> NDArray[np.int64]:
        """Segment the image.

        Args:
            annotations: float32, checked; extreme points of at least one region, and any scribbles.

        Returns:
            (H, W) int64, region in [0, N), or VOID. Islands are not merged yet.
        """
        memory = self._current
        points, strokes = torch.from_numpy(annotations.extreme_points), Strokes.pack(annotations.scribbles)
        given = pack(self.segmenter, points, strokes, memory.image.size)
        if self.segmenter.second_look:
            given = given._replace(answers=self._first_answers(points))
        return self._run(memory, given).labels.cpu().numpy().astype(np.int64)

    def _first_answers(self, points: Tensor) -> Tensor:
        """Return the answers to these extreme points (N, 4, 2), or those kept of the last call."""
        key, image = points.numpy().tobytes(), self._current.image
        if key != self._answers[0]:
            given = pack(self.segmenter, points, Strokes.pack([]), image.size).to(self._device)
            with self._autocast():
                self._answers = key, first_answers(self.segmenter, image, given)
        return self._answers[1]

    def _run(self, memory: Memory, given: RoundInputs) -> Outcome:
        if not self.captures or self.failure is not None:
            self.again = partial(self._body, memory.image, given.to(self._device))
            return self.again()
        key = _shapes(given.tensors())
        graph = memory.graphs.pop(key, None)
        if graph is None:
            try:
                graph = self._capture(memory.image, given.to(self._device).copied())
            except RuntimeError as error:
                self.failure = str(error).splitlines()[0]
                return self._run(memory, given)
        _keep(memory.graphs, key, graph, MOST_GRAPHS)
        _copy(given.tensors(), graph.given.tensors())
        self.again = graph.replay
        graph.replay()
        return graph.outcome

    def _body(self, image: ImageInputs, given: RoundInputs) -> Outcome:
        with self._autocast():
            return run_round(self.segmenter, image, given, hold_scribbles=self.hold_scribbles)

    def _autocast(self) -> torch.autocast:
        """Return the context in which the head runs, in half precision on a GPU.

        Cast weights are not cached: the cache would free them while graphs read them.
        """
        return torch.autocast(
            self._device.type, torch.float16, enabled=self._device.type == "cuda", cache_enabled=False
        )

    def _capture(self, image: ImageInputs, given: RoundInputs) -> Graph:
        """Capture a round that reads these inputs; raise RuntimeError if an operation cannot be captured."""
        self._pool = self._pool or torch.cuda.graph_pool_handle()
        with torch.cuda.device(self._device):
            replay, outcome = capture(partial(self._body, image, given), self._pool)
        return Graph(replay, given, outcome)

    @property
    def _current(self) -> Memory:
        assert self._memory is not None
        return self._memory


def capture(call: Callable[[], Result], pool: object) -> tuple[Callable[[], None], Result]:
    """Capture what a call starts on the current GPU.

    Args:
        call: reads and writes the same memory every time, copies nothing to or from the CPU and reads no value there.
        pool: of memory, see ``torch.cuda.graph_pool_handle``.

    Returns:
        What runs it again, and the result, whose memory it then writes.

    Raises:
        RuntimeError: if an operation cannot be captured.
    """
    before, torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark, True  # pays, as all shapes stay
    try:
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                call()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):  # type: ignore[arg-type]
            result = call()
    finally:
        torch.backends.cudnn.benchmark = before
    return graph.replay, result


def can_run(segmenter: Segmenter, count: int, size: tuple[int, int]) -> bool:
    """Return whether ``Rounds`` can segment an image of ``size`` (H, W) with so many regions."""
    small = 4 * (count + REGIONS) * size[0] * size[1] <= MOST_BYTES
    return isinstance(segmenter, RegionSegmenter) and count > 0 and small


def _shapes(tensors: list[Tensor]) -> Key:
    return tuple(tensor.shape for tensor in tensors)


def _copy(sources: list[Tensor], targets: list[Tensor]) -> None:
    for source, target in zip(sources, targets, strict=True):
        target.copy_(source)


def _keep(kept: dict[Key, Kept], key: Key, value: Kept, most: int) -> None:
    """Put a value last, and drop the first ones if there are more than ``most``."""
    kept[key] = value
    while len(kept) > most:
        kept.pop(next(iter(kept)))
