"""Part (a) of benchmarks/gpu.sh: how long corrections take with fullseg, eager and captured, and with others.

On one image of 640 x 480 px with 15 regions it times one scribble more, and 15 scribbles more, in half precision and
with random weights. The whole sequence of scribbles runs once before it is timed.
"""

import importlib.util
import statistics
from argparse import Namespace
from collections.abc import Callable
from functools import partial

import torch
from gpu_rows import Row, device, half, part_arguments, record, try_row
from limits import now, seconds
from peers import PAPER, SPREADING, MaskRCNN, Ours, Peer, SegmentAnything, autocast, segmenter, untrained_predictor
from published_sizes import RITM_CROP, SizedRitm, SizedSam
from scene import Scene, corrections, make_scene

from fullseg.model.captured import CapturedPredictor
from fullseg.model.interactive.graphs import capture

REGIONS, SIZE, ROUNDS, REPLAYS = 15, (480, 640), 6, 100
GOALS, SAM_GOAL = {"fullseg, captured": "0.6 ms"}, "16 x"
SMALL = ("model.feature_channels=8", "model.head_channels=8", "model.roi_size=9", "model.mask_size=9")


class Captured(Ours):
    """The captured predictor, which chooses its precision itself."""

    predictor: CapturedPredictor

    def __init__(self, device: str, *options: str) -> None:
        super().__init__(CapturedPredictor(segmenter(*options), [], device, hold_scribbles=True))


class Half:
    """A peer in half precision by autocast."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.autocast = autocast(device(), half())

    def set_image(self, image: object) -> None:
        """Run the peer."""
        with self.autocast:
            self.peer.set_image(image)  # type: ignore[arg-type]

    def update(self, annotations: object) -> None:
        """Run the peer."""
        with self.autocast:
            self.peer.update(annotations)  # type: ignore[arg-type]


def round_times(peer: Peer, scene: Scene, step: int) -> float:
    """Return the median milliseconds of ``step`` scribbles more."""
    states, times = list(corrections(scene, step)), list[float]()
    for timed in (False, True):
        peer.set_image(scene.image)
        for state in states:
            times.append(seconds(partial(peer.update, state)))
        times = times[1:] if timed else []  # without the first prediction
    return 1e3 * statistics.median(times)


def measure_peer(arguments: Namespace, scene: Scene, name: str, make: Callable[[], Peer], note: str) -> float:
    """Record both rows of a peer; return the milliseconds of 15 scribbles."""
    peer = make()
    few = scene._replace(scribbles=scene.scribbles[: 3 if arguments.tiny else 2 * REGIONS])
    together, one = round_times(peer, scene, REGIONS), round_times(peer, few, 1)
    if isinstance(peer, Captured):
        note = f"{note}; {graph_state(peer)}".strip("; ")
    record(arguments.rows, Row(f"{name}: 15 scribbles", f"{together:.2f} ms", note=note))
    record(arguments.rows, Row(f"{name}: one scribble", f"{one:.2f} ms", note=note))
    if isinstance(peer, Captured) and peer.predictor.rounds is not None and peer.predictor.rounds.again is not None:
        alone = replay_time(peer.predictor.rounds.again)
        record(arguments.rows, Row(f"{name}: a round, the graph alone", f"{alone:.2f} ms", GOALS.get(name, "")))
    return together


def graph_state(peer: Captured) -> str:
    """Return whether rounds were replayed."""
    rounds = peer.predictor.rounds
    if rounds is not None and rounds.failure is not None:
        return f"graph: failed: {rounds.failure}"
    return "graph: replayed" if device() == "cuda" else "graph: none on a CPU"


@torch.inference_mode()
def replay_time(replay: Callable[[], object]) -> float:
    """Return the mean milliseconds of many calls, one right after another."""
    replay()
    start, count = now(), REPLAYS if device() == "cuda" else 3
    for _ in range(count):
        replay()
    return 1e3 * (now() - start) / count


@torch.inference_mode()
def sam_graph(arguments: Namespace) -> None:
    """Record how long SAM's decoder takes as a captured graph."""
    if device() != "cuda":
        record(arguments.rows, Row("SAM's decoder, captured: 15 regions", "not measured", note="no graph on a CPU"))
        return
    peer = SizedSam(device(), half())
    peer.size = SIZE
    replay, _ = capture(partial(peer.decode, REGIONS), torch.cuda.graph_pool_handle())
    record(arguments.rows, Row("SAM's decoder, captured: 15 regions", f"{replay_time(replay):.2f} ms"))


def main() -> None:
    """Measure all peers."""
    arguments = part_arguments(__doc__)
    size, rounds, small = ((96, 128), 1, SMALL) if arguments.tiny else (SIZE, ROUNDS, ())
    crop = 64 if arguments.tiny else RITM_CROP
    scene, times = make_scene(REGIONS, size, rounds), dict[str, float]()
    peers: dict[str, tuple[Callable[[], Peer], str]] = {
        "fullseg, eager": (lambda: Ours(untrained_predictor(device(), *small), half()), ""),
        "fullseg, captured": (lambda: Captured(device(), *small), ""),
        "fullseg, scribbles spread, eager": (
            lambda: Ours(untrained_predictor(device(), *small, *SPREADING), half()),
            "",
        ),
        "fullseg, scribbles spread, captured": (lambda: Captured(device(), *small, *SPREADING), ""),
        "paper's model, captured": (lambda: Captured(device(), *PAPER, *small), ""),
        "SAM's decoder": (lambda: SizedSam(device(), half()), "torch layers of the published size"),
        "RITM": (lambda: SizedRitm(device(), half(), crop), f"HRNet-18s of timm, a crop of {crop} px per region"),
        "Mask R-CNN, mask branch": (lambda: Half(MaskRCNN(device())), "takes no scribbles: all its boxes each time"),
    }
    if importlib.util.find_spec("transformers") is None:
        record(arguments.rows, Row("SAM ViT-B of transformers", "not measured", note="transformers is not installed"))
    else:
        peers["SAM ViT-B of transformers"] = (lambda: Half(SegmentAnything(device())), "all regions each time")
    for name, (make, note) in peers.items():

        def measure(name: str = name, make: Callable[[], Peer] = make, note: str = note) -> None:
            times[name] = measure_peer(arguments, scene, name, make, note)

        try_row(arguments.rows, name, measure)
    try_row(arguments.rows, "SAM's decoder, captured", partial(sam_graph, arguments))
    if {"SAM's decoder", "fullseg, captured"} <= times.keys():
        ratio = times["SAM's decoder"] / times["fullseg, captured"]
        record(
            arguments.rows,
            Row("SAM's decoder / fullseg, captured: 15 scribbles", f"{ratio:.1f} x", SAM_GOAL),
        )


if __name__ == "__main__":
    main()
