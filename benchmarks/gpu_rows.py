"""What the parts of benchmarks/gpu.sh share: their arguments, and the rows that they measure."""

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from fullseg.cpu import computes_bf16

MEMORY = 80e9  # bytes of the GPU that may be used, so that a larger GPU gives the numbers of one of 80 GB


class Row(NamedTuple):
    """A line of the table."""

    name: str
    value: str  # with its unit
    goal: str = ""
    note: str = ""


def part_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of the arguments that every part has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, required=True, help="file that gets the rows, a JSON object per line")
    parser.add_argument("--tiny", action="store_true", help="sizes with which everything runs in seconds on a CPU")
    parser.add_argument("--seconds", type=float, default=60, help="time that the part may take")
    return parser


def part_arguments(description: str | None) -> argparse.Namespace:
    """Read these arguments."""
    return part_parser(description).parse_args()


def record(path: Path, row: Row) -> None:
    """Append a row at once, so that it survives if a later one fails."""
    with path.open("a") as file:
        file.write(json.dumps(row._asdict()) + "\n")


def try_row(path: Path, name: str, measure: Callable[[], None]) -> None:
    """Measure something that records its rows; if it fails, record why, and go on."""
    try:
        measure()
    except Exception as error:  # a package or a kernel may be missing: the other rows are worth having
        record(path, Row(name, "failed", note=f"{type(error).__name__}: {error}".splitlines()[0]))


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a part; none if it has not recorded any."""
    return [Row(**json.loads(line)) for line in path.read_text().splitlines()] if path.is_file() else []


def device() -> str:
    """Return the device on which the parts run."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def half() -> torch.dtype:
    """Return the half precision of the device, or single precision on a CPU that only emulates half of it."""
    if device() == "cuda":
        return torch.float16  # its errors are smaller than those of bf16
    return torch.bfloat16 if computes_bf16() else torch.float32


def out_folder() -> Path:
    """Return the folder of everything that is made, which OUT names."""
    return Path(os.environ.get("OUT", "runs/gpu")).resolve()


def data_options(*, tiny: bool) -> list[str]:
    """Return the options of the data: BSDS500 in the folder that DATA names, or else the embedded scenes."""
    cache, folder = out_folder() / "cache", os.environ.get("DATA")
    if tiny:
        return ["data.format=coco_panoptic", f"data.root={cache / 'tiny'}", f"data.cache={cache}"]
    named = ["data.format=bsds500", f"data.root={folder}"] if folder else ["data.format=scenes"]
    return [*named, "data.min_region_area=25", f"data.cache={cache}"]
