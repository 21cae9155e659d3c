"""Part (b) of benchmarks/gpu.sh: images per second of training, beside Mask R-CNN, and where a step's time goes."""

import statistics
from functools import partial

from gpu_rows import Row, part_arguments, record, try_row
from training_rates import REGIONS, training_rates
from training_step import STEPS, step_parts

from fullseg.config.load import load_config
from fullseg.config.schema import Config
from fullseg.runs.trainer import prepare_process

GOAL = "2.5 x, stretch 5 x"
OPTIONS = ["data.batch_size=4", "data.crop_size=384"]
TINY = ["data.batch_size=1", "data.crop_size=64", "model.feature_channels=8", "model.head_channels=8"]
TINY += ["model.roi_size=9", "model.mask_size=9"]


def measure_rates(config: Config, rows_file: object, rounds: int) -> None:
    """Record the images per second of all models."""
    *ours, peer = training_rates(config, rounds)
    of_peer = statistics.median(peer.images_per_second)
    note = f"{config.data.batch_size} images of {config.data.crop_size} px per step, {REGIONS} regions each"
    for rate in (*ours, peer):
        speed = statistics.median(rate.images_per_second)
        memory = f"; {rate.peak_bytes / 2**30:.1f} GiB" if rate.peak_bytes else ""
        record(rows_file, Row(f"training, {rate.name}", f"{speed:.1f} images/s", note=note + memory))  # type: ignore[arg-type]
        if rate is not peer:
            row = Row(f"training, {rate.name} / Mask R-CNN", f"{speed / of_peer:.2f} x", GOAL)
            record(rows_file, row)  # type: ignore[arg-type]


def measure_parts(config: Config, rows_file: object, steps: int) -> None:
    """Record the milliseconds of each part of a step."""
    parts = step_parts(config, steps)
    whole = sum(sum(pair) for pair in parts.values())
    for name, (forward, backward) in parts.items():
        value = f"{1e3 * forward:.2f} + {1e3 * backward:.2f} ms"
        note = f"forward + backward; {100 * (forward + backward) / whole:.0f} % of the step without its optimiser"
        record(rows_file, Row(f"a training step: {name}", value, note=note))  # type: ignore[arg-type]


def main() -> None:
    """Measure on the network of the experiment bsds500/full_image with the default head."""
    arguments = part_arguments(__doc__)
    config = load_config("experiments/bsds500/full_image.yaml", [*OPTIONS, *(TINY if arguments.tiny else [])])
    prepare_process(config)
    rounds, steps = (1, 1) if arguments.tiny else (5, STEPS)
    try_row(arguments.rows, "images/s of training", partial(measure_rates, config, arguments.rows, rounds))
    try_row(arguments.rows, "the parts of a step", partial(measure_parts, config, arguments.rows, steps))


if __name__ == "__main__":
    main()
