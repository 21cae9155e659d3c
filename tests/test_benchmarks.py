"""The benchmarks run, and report what has become slower."""

import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import bench
import numpy as np
import page_session
import partly_marked
import per_region
import pytest
import reading
import scale
import team
import torch
from limits import Peaks, Work, count_work
from PIL import Image
from scene import corrections, make_scene
from untrained import untrained

from fullseg import Predictor
from fullseg.config.load import load_config
from fullseg.simulation.noise import NO_NOISE
from fullseg.study.plan import Plan
from fullseg.types import BACKGROUND, Annotations, Sample
from tests.annotated_people import sample_of

FOLDER = Path(__file__).parents[1] / "benchmarks"


def test_only_what_is_slower_by_more_than_a_fifth_is_reported() -> None:
    times = {"fullseg": 50.0, "everything anew": 1400.0, "SAM": 1500.0}
    rows = [bench.Row(name, [300.0], 5 * [time], [500.0], Work(1e9, 1e6), 900.0) for name, time in times.items()]
    before = bench.ratios(bench.table(rows, Peaks(2e11, 2e10)))
    assert before == {"fullseg": 1.0, "everything anew": 28.0, "SAM": 30.0}
    assert bench.worse(before, before | {"SAM": 25.1}) == []
    assert bench.worse(before, before | {"SAM": 24.9}) == ["SAM: 30.00 x fullseg's time before, 24.90 x now"]


def test_work_is_counted() -> None:
    left, right = torch.ones(3, 4), torch.ones(4, 5)
    work = count_work(lambda: left @ right)
    assert work.flops == 2 * 3 * 4 * 5
    assert work.bytes == 4 * (12 + 20 + 15)


def test_scenes_of_any_size_are_the_same_but_for_scale() -> None:
    small, large = make_scene(7, (480, 640), 2), make_scene(7, (960, 1280), 2)
    np.testing.assert_array_equal(2 * small.points + 0.5, large.points)  # points are pixel centres
    assert large.image.shape == (960, 1280, 3)
    states = list(corrections(small, 1))
    assert len(states) == len(small.scribbles) + 1 > 10
    assert len(states[3].scribbles) == 3


def test_reading_is_timed_part_by_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PASSES", 1)
    monkeypatch.setattr(reading, "IMAGES", 2)
    reading.write_set(tmp_path)
    rates = reading.measure(tmp_path, "val", tmp_path)
    assert reading.PNG in rates
    assert all(0 < rate < 100_000 for rate in rates.values())


def test_the_page_about_scale_has_the_calculated_tables() -> None:
    page = (FOLDER.parent / "docs" / "scale.md").read_text()
    for table in scale.tables(scale.Inputs()):
        assert table in page


def test_scale_takes_other_inputs() -> None:
    inputs = scale.read(["images=3600", "epochs=1", "gpu_rate=10", "people=2", "hours=1"])
    rows = scale.training(inputs)
    assert rows[0][1] == "0.10"  # 360 s
    assert rows[0][4] == "450"
    with pytest.raises(SystemExit, match="imges: there are images"):
        scale.read(["imges=3"])


def test_the_journal_takes_actions_from_several_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(team, "WRITING", 0.2)
    assert 10 < team.journal_rate(3) < 1e6


def test_memory_of_one_pass_per_region_is_proportional_to_the_number_of_regions() -> None:
    options = ["model.backbone=resnet14t", "model.dextr.input_size=64"]
    config = load_config(FOLDER.parent / "experiments" / "table1" / "dextr.yaml", options)
    network = untrained(config)
    kept = [per_region.kept_bytes(network, config, count, "cpu") for count in (1, 2, 3, 4)]
    steps = np.diff(kept)
    assert steps.min() > 4 * 64 * 64 * 4  # at least the crop itself
    assert np.ptp(steps) < 0.05 * steps.mean()
    assert all(weight.grad is None for weight in network.parameters())


def test_what_is_too_large_or_slow_to_run_is_extrapolated_and_in_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def kept_bytes(_segmenter: object, _config: object, count: int, _device: str) -> float:
        asked.append(("kept", count))
        return 1e9 * (1 + 2 * count)

    def round_time(_predictor: object, sample: Sample) -> float:
        asked.append(("round", len(sample.classes)))
        return 0.25 * len(sample.classes)

    monkeypatch.setattr(per_region, "kept_bytes", kept_bytes)
    monkeypatch.setattr(per_region, "round_time", round_time)
    monkeypatch.setattr(per_region, "seconds", lambda _call: 0.5)
    monkeypatch.setattr(per_region, "COUNTS", (1, 5, 15, 30, 60))
    options = ["model.backbone=resnet14t", "model.dextr.input_size=64"]
    config = load_config(FOLDER.parent / "experiments" / "table1" / "dextr.yaml", options)
    limits = Namespace(device="cpu", most=60, memory=16, seconds=6)

    kept, times, image = per_region.table({"ours": per_region.measure("ours", config, limits)})[2:]

    assert kept == "| ours: kept in training, GB | 3.00 | 11.00 | (31) | (61) | (121) | 2000 MB |"
    assert times == "| ours: a round of corrections, s | 0.25 | 1.25 | 3.75 | (8) | (15) | 250 ms |"
    assert image == "| ours: once per image, s | 0.50 | 0.50 | 0.50 | 0.50 | 0.50 | |"
    assert asked == [("kept", 1), ("round", 1), ("kept", 5), ("round", 5), ("round", 15)]


def test_every_region_gets_a_line_in_it_every_round() -> None:
    sample = per_region.one_image(5)
    rounds = list(per_region.rounds_of(sample))
    assert [len(annotations.scribbles) for annotations in rounds] == [0, 5, 10, 15]
    for scribble in rounds[-1].scribbles:
        x, y = scribble.points[0].astype(int)
        assert sample.region_map[y, x] == scribble.region


@pytest.mark.slow
def test_a_case_of_the_scaling_runs() -> None:
    command = [sys.executable, str(FOLDER / "scaling.py"), "cpu", "3", "96", "128"]
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
    first, scribble, slowest, anew, memory = map(float, result.stdout.split())
    assert 0 < scribble <= slowest
    assert first > 0 < anew
    assert memory > 100


@pytest.mark.slow
def test_a_photograph_is_annotated_whole_in_the_real_page(
    tmp_path: Path, tiny_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from playwright.sync_api import sync_playwright
    from serving import chromium, serving

    if chromium() is None:
        pytest.skip("no Chromium: install the system's package, or set FULLSEG_CHROMIUM")
    sample = sample_of(0)
    (tmp_path / "images").mkdir()
    Image.fromarray(sample.image).save(tmp_path / "images" / "0.png")
    with sync_playwright() as started, serving(tmp_path / "images", str(tiny_checkpoint)) as server:
        browser = started.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        session = page_session.Session(browser.new_page(), server.address, sample, tmp_path)
        session.annotate(0, Plan(1, NO_NOISE, 0))
        browser.close()
    count = len(sample.classes)
    first, after, cleaned = session.rows
    assert (first.strokes, first.clicks) == (0, 4 * count)
    assert after.strokes <= count
    assert after.strokes == len(session.waits) > 0
    assert after.iou > first.iou
    assert cleaned.parts <= after.parts
    page_session.report(session, 1.0)
    assert f"{count} regions" in capsys.readouterr().out
    assert len(list(tmp_path.glob("0 *.png"))) == 3
    assert (tmp_path / "images" / "fullseg" / "export" / "panoptic" / "0.png.png").is_file()


def test_what_regions_have_too_much_is_corrected_by_scribbles_of_no_region_alone(tiny_checkpoint: Path) -> None:
    sample, predictor = sample_of(0), Predictor.from_checkpoint(tiny_checkpoint)
    predictor.set_image(sample.image)
    asked: list[set[int]] = []
    predict = predictor.predict

    def noted(annotations: Annotations, **options: bool) -> np.ndarray:
        asked.append({scribble.region for scribble in annotations.scribbles})
        return predict(annotations, **options)

    predictor.predict = noted  # type: ignore[method-assign, assignment]
    _, half, _ = partly_marked.partials(sample, 0)
    for of_none in (False, True):
        asked.clear()
        rng = np.random.default_rng(0)
        curve = partly_marked.corrected(predictor, half, 3, rng, of_none=of_none)
        assert curve.shape == (4,)
        assert np.isfinite(curve).all()
        assert (BACKGROUND in set.union(*asked)) == of_none
