"""What a whole data set needs to be trained on and to be annotated: ``python benchmarks/scale.py``.

It prints the tables of docs/scale.md. Every input has its measured value as default, and an option to replace it:
    python benchmarks/scale.py images=5000 people=4 gpu_rate=90
"""

import math
import sys
from dataclasses import dataclass, fields, replace

GPUS = (1, 8, 64)


@dataclass(frozen=True)
class Inputs:
    """What was measured or is assumed; docs/scale.md says where each value comes from."""

    images: int = 118_287  # of COCO train2017
    epochs: int = 10  # of experiments/beyond/
    gpu_rate: float = 136.0  # images/s that one GPU trains on
    batch: int = 8  # images per step of one GPU
    gradient: float = 15.0  # MB that the GPUs exchange per step
    network: float = 12.5  # GB/s between GPUs
    reading: float = 59.0  # images/s of one core: reading, cropping, extreme points
    simulating: float = 136.0  # images/s of one core: one round of scribbles
    regions: float = 11.0  # per image
    region_seconds: float = 7.0  # of a person, for four extreme points
    strokes: float = 2.0  # per region
    stroke_seconds: float = 3.0  # of a person, per stroke
    people: int = 50
    hours: float = 6.0  # of annotation per person and day
    people_per_server: int = 4  # for whom a stroke stays below 300 ms
    journal: float = 4_450.0  # actions/s that one journal takes
    bytes_per_stroke: float = 0.015  # MB from the server to a page


def training(inputs: Inputs) -> list[tuple[str, ...]]:
    """Return per number of GPUs: hours, images per step, steps, cores for the loaders and for the simulation."""
    rows = []
    for gpus in GPUS:
        step = inputs.batch / inputs.gpu_rate
        exchange = 0.0 if gpus == 1 else 2 * (gpus - 1) / gpus * inputs.gradient / 1e3 / inputs.network
        rate = gpus * inputs.batch / (step + exchange)
        steps = math.ceil(inputs.images * inputs.epochs / (gpus * inputs.batch))
        hours = inputs.images * inputs.epochs / rate / 3600
        cores = math.ceil(rate / inputs.reading), math.ceil(rate / inputs.simulating)
        efficiency = f"{100 * step / (step + exchange):.0f} %"
        rows.append((f"{gpus}", f"{hours:.2f}", efficiency, f"{gpus * inputs.batch}", f"{steps:,}", *map(str, cores)))
    return rows


def annotation(inputs: Inputs) -> list[tuple[str, ...]]:
    """Return what it takes to annotate all images, as pairs of a name and a value."""
    actions = inputs.regions * (1 + inputs.strokes)
    seconds = inputs.regions * (inputs.region_seconds + inputs.strokes * inputs.stroke_seconds)
    hours = inputs.images * seconds / 3600
    rate = inputs.people * actions / seconds
    servers = math.ceil(inputs.people / inputs.people_per_server)
    return [
        ("a person's time per image", f"{seconds:.0f} s"),
        ("hours of all people", f"{hours:,.0f}"),
        (f"days of {inputs.people} people", f"{hours / inputs.people / inputs.hours:.0f}"),
        ("actions per second", f"{rate:.1f}"),
        ("share of what one journal takes", f"{100 * rate / inputs.journal:.1f} %"),
        ("from the servers to the pages", f"{rate * inputs.bytes_per_stroke:.1f} MB/s"),
        ("servers of two cores", f"{servers}"),
    ]


def markdown(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a table."""
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def tables(inputs: Inputs) -> list[str]:
    """Return both tables."""
    header = (
        "GPUs",
        "hours",
        "of perfect scaling",
        "images per step",
        "steps",
        "cores that read",
        "cores that simulate",
    )
    return [markdown(header, training(inputs)), markdown(("annotation", ""), annotation(inputs))]


def read(arguments: list[str]) -> Inputs:
    """Return the inputs with the values that arguments like ``people=4`` name."""
    kinds = {field.name: type(field.default) for field in fields(Inputs)}
    given = dict(argument.split("=", 1) for argument in arguments)
    if wrong := sorted(given.keys() - kinds.keys()):
        raise SystemExit(f"{', '.join(wrong)}: there are {', '.join(kinds)}")
    return replace(Inputs(), **{name: kinds[name](value) for name, value in given.items()})


if __name__ == "__main__":
    print("\n\n".join(tables(read(sys.argv[1:]))))
