"""The script that measures on a GPU runs whole on a CPU, and one part's failure leaves the others alive."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from gpu_regions import NEAR, fits, grid_image, largest
from gpu_rows import Row, read_rows, record, try_row
from gpu_table import rows_of
from limits import now
from published_sizes import SamDecoder, SizedSam, changed_regions
from scene import corrections, make_scene

ROOT = Path(__file__).parents[1]
NOT_MEASURED = ("SAM ViT-B of transformers", "SAM's decoder, captured: 15 regions")  # on a CPU without transformers
ROWS = {
    "data": ["images of the evaluation"],
    "rounds": [
        *(
            f"{name}: {what}"
            for name in (
                "fullseg, eager",
                "fullseg, captured",
                "fullseg, scribbles spread, eager",
                "fullseg, scribbles spread, captured",
                "paper's model, captured",
                "SAM's decoder",
                "RITM",
                "Mask R-CNN, mask branch",
            )
            for what in ("15 scribbles", "one scribble")
        ),
        "fullseg, captured: a round, the graph alone",
        "SAM's decoder / fullseg, captured: 15 scribbles",
    ],
    "training": [
        "training, ours, tf_efficientnet_lite0 fpn, stride 4 / Mask R-CNN",
        "training, ours, resnet50 c4, stride 16 / Mask R-CNN",
        "training, torchvision Mask R-CNN, resnet50 fpn",
        *(f"a training step: {part}" for part in ("backbone", "head", "canvas and loss")),
    ],
    "regions": [f"{what} in 80 GB, one image of 128 x 96 px" for what in ("a training step", "a prediction")],
    "study": ["a study of 2 images, 2 rounds", "the same for 200 images"],
    "models": [
        f"{name}: {what}"
        for name in ("bsds500/full_image", "bsds500/full_image_scribble", "beyond/looks")
        for what in ("trained", "mean IoU at 0, 2, 4 scribbles per region")
    ],
}


def run_script(out: Path, **variables: str) -> tuple[str, dict[str, list[str]]]:
    """Run the script with tiny sizes; return what it printed, and the cells of the table it wrote by the first one."""
    environment = {**os.environ, "PYTHON": sys.executable, "OUT": str(out), "DATA": "", **variables}
    command = ["bash", str(ROOT / "benchmarks" / "gpu.sh"), "--tiny"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=out)
    lines = [line for line in (out / "GPU.md").read_text().splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]
    return done.stdout, {row[0]: row[1:] for row in rows}


@pytest.mark.slow
def test_all_parts_run_and_fill_every_row(tmp_path: Path) -> None:
    before = (ROOT / "benchmarks" / "GPU.md").exists()
    limits = {f"{part.upper()}_LIMIT": "300" for part in ROWS}  # importing takes long on a busy CPU
    printed, table = run_script(tmp_path, **limits)
    logs = "\n".join(path.read_text()[-2000:] for path in tmp_path.glob("*.log"))
    states = [name for name in table if name.endswith(": done")]
    assert len(states) == len(ROWS), logs
    for part, names in ROWS.items():
        rows = read_rows(tmp_path / f"{part}.jsonl")
        recorded = [row.name for row in rows]
        assert set(names) <= set(recorded), [row for row in rows if row.value == "failed"]
        for name in recorded:
            value = table[name][0]
            assert (value == "not measured") if name in NOT_MEASURED else any(map(str.isdigit, value)), (
                f"{name}: {value}"
            )
            assert name[:20] in printed
    assert table["fullseg, captured: a round, the graph alone"][1] == "0.6 ms"
    assert table["SAM's decoder / fullseg, captured: 15 scribbles"][1] == "16 x"
    assert table["the same for 200 images"][1] == "60 s"
    assert float(table["total"][0].split()[0]) > 0
    assert (ROOT / "benchmarks" / "GPU.md").exists() == before  # it is written on a GPU alone


@pytest.mark.slow
def test_a_part_that_is_stopped_leaves_the_others_alive(tmp_path: Path) -> None:
    _, table = run_script(tmp_path, PARTS="data regions", DATA_LIMIT="0.5", REGIONS_LIMIT="300")
    assert table["data: stopped"][1:] == ["at most 0.5 s", "at its limit of 0.5 s; rows that it had measured are here"]
    assert "(c) regions in memory: done" in table
    assert "a prediction in 80 GB, one image of 128 x 96 px" in table
    assert not any(name.startswith("(d)") for name in table)


def test_the_table_says_why_a_part_failed(tmp_path: Path) -> None:
    record(tmp_path / "study.jsonl", Row("a study", "3 s"))
    (tmp_path / "study.log").write_text("Traceback\nDataError: no images\n")
    state, row = rows_of(tmp_path, "study 1 7 60")
    assert state == Row("(d) study: failed (1)", "7 s", "at most 60 s", "DataError: no images")
    assert row == Row("a study", "3 s")
    assert rows_of(tmp_path, "regions 124 60 60")[0].name == "(c) regions in memory: stopped"


def test_a_row_that_fails_is_recorded(tmp_path: Path) -> None:
    def fail() -> None:
        raise RuntimeError("CUDA error: no kernel\nmore")

    try_row(tmp_path / "rows", "SAM", fail)
    assert read_rows(tmp_path / "rows") == [Row("SAM", "failed", note="RuntimeError: CUDA error: no kernel")]


@pytest.mark.parametrize("limit", [0, 1, 63, 64, 65, 1000, 5000, 10**6])
def test_finds_the_largest_number_that_fits(limit: int) -> None:
    tried: list[int] = []

    def test(count: int) -> bool:
        tried.append(count)
        return count <= limit

    good, bad = largest(test, 64, 8192, now() + 1000)
    assert good <= limit
    if limit >= 8192:
        assert (good, bad) == (8192, None)
    else:
        assert bad is not None
        assert limit < bad <= max(good + 1, NEAR * good)
    assert len(tried) < 20


def test_running_out_of_memory_is_caught_and_nothing_else_is() -> None:
    def fail(count: int) -> None:
        raise (torch.OutOfMemoryError if count > 5 else RuntimeError)("CUDA out of memory")

    assert fits(lambda _: None, 1)
    assert not fits(fail, 6)
    with pytest.raises(RuntimeError, match="CUDA"):
        fits(fail, 5)


def test_no_test_begins_after_the_time() -> None:
    assert largest(lambda _: True, 64, 8192, now() - 1) == (0, None)


@pytest.mark.parametrize("count", [1, 2, 7, 64, 300])
def test_regions_of_a_grid_have_their_extreme_points(count: int) -> None:
    sample = grid_image(count, (48, 64))
    assert set(np.unique(sample.region_map)) - {-1} == set(range(count))
    for region, quad in enumerate(sample.extreme_points):
        y, x = np.nonzero(sample.region_map == region)
        assert all(sample.region_map[int(b), int(a)] == region for a, b in quad)
        assert (quad[:, 0].min(), quad[:, 0].max()) == (x.min(), x.max())
        assert (quad[:, 1].min(), quad[:, 1].max()) == (y.min(), y.max())


def test_the_decoder_has_the_published_number_of_parameters() -> None:
    decoder = SamDecoder()
    own = sum(weight.numel() for name, weight in decoder.named_parameters() if name != "places")
    assert own == 4_058_340  # of the mask decoder in the checkpoints of Segment Anything


def test_others_see_the_regions_with_new_scribbles() -> None:
    states = list(corrections(make_scene(5, (48, 64), 2), 2))
    assert changed_regions(states[0], 0) == 5
    assert changed_regions(states[1], 0) == len({s.region for s in states[1].scribbles})
    assert changed_regions(states[2], 2) == len({s.region for s in states[2].scribbles[2:]})
    peer = SizedSam("cpu", torch.float32)
    peer.set_image(np.zeros((48, 64, 3), np.uint8))
    assert peer.decode(2).shape == (48, 64)
