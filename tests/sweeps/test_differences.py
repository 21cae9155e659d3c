"""What each value of a sweep's parameters gains."""

import itertools

import pytest
from rich.console import Console

from fullseg.sweeps.differences import compared_metric, differences, print_differences
from fullseg.sweeps.results import Row
from fullseg.sweeps.tracking import differences_table

VARIED = ["loss", "model.share", "seed"]
GAINS = {"maskwise": 0.0, "pixelwise": 0.03, "none": 0.0, "points": 0.01}


def row(score: float, strategy: str = "", **parameters: object) -> Row:
    return Row("", {key.replace("__", "."): value for key, value in parameters.items()}, strategy, {"iou": score}, None)


@pytest.fixture
def rows() -> list[Row]:
    """Return the cells of two parameters and three seeds, of which each is better than the one before."""
    return [
        row(0.7 + 0.05 * seed + GAINS[loss] + GAINS[share], loss=loss, model__share=share, seed=seed)
        for loss, share, seed in itertools.product(("maskwise", "pixelwise"), ("none", "points"), range(3))
    ]


def test_seeds_are_paired_and_other_parameters_are_averaged(rows: list[Row]) -> None:
    loss, share = differences(rows, VARIED)
    assert (loss.parameter, loss.value, loss.first, loss.seeds) == ("loss", "pixelwise", "maskwise", 3)
    assert (share.parameter, share.value, share.first, share.seeds) == ("share", "points", "none", 3)
    assert loss.metric == share.metric == "iou"
    for one, gain in ((loss, 0.03), (share, 0.01)):  # equal for all seeds, though the seeds differ by more
        assert (one.mean, *one.interval) == pytest.approx((gain, gain, gain))


def test_the_interval_is_over_seeds(rows: list[Row]) -> None:
    rows[11] = rows[11]._replace(metrics={"iou": rows[11].metrics["iou"] + 0.06})  # pixelwise, points, seed 2
    _, share = differences(rows, VARIED)
    assert share.mean == pytest.approx((0.01 + 0.01 + 0.04) / 3)
    half = 4.302653 * 0.0173205 / 3**0.5  # t of 2 degrees of freedom at 97.5 %, and the deviation
    assert share.interval == pytest.approx((share.mean - half, share.mean + half), abs=1e-6)


def test_what_has_no_partner_does_not_count(rows: list[Row]) -> None:
    _, share = differences(rows[:-1], VARIED)  # seed 2 has a pair with the loss maskwise alone
    assert share.seeds == 3
    assert share.mean == pytest.approx(0.01)
    assert differences([one for one in rows if one.parameters["seed"] == 0], VARIED) == []


def test_strategies_are_compared_too() -> None:
    rows = [row(0.8 + 0.02 * (name == "free"), name, seed=seed) for name in ("per_region", "free") for seed in (0, 1)]
    [one] = differences(rows, ["study.strategies", "seed"])
    assert (one.parameter, one.value, one.first) == ("strategy", "free", "per_region")
    assert one.mean == pytest.approx(0.02)


def test_the_metric_is_one_that_all_rows_have(rows: list[Row]) -> None:
    studied = [one._replace(metrics={"iou": 0.5, "iou_at_4": 0.9}) for one in rows]
    assert compared_metric(studied) == "iou_at_4"
    assert compared_metric([*studied, rows[0]]) == "iou"
    assert compared_metric([]) is None
    assert compared_metric([rows[0]._replace(metrics={})]) is None
    assert differences([one._replace(metrics={}) for one in rows], VARIED) == []


def test_wandb_gets_the_same_numbers(rows: list[Row]) -> None:
    columns, lines = differences_table(differences(rows, VARIED))
    assert columns[:5] == ["parameter", "value", "instead of", "seeds", "difference in IoU"]
    assert lines[0][:4] == ["loss", "pixelwise", "maskwise", 3]
    assert lines[0][4:] == pytest.approx([3.0, 3.0, 3.0])


def test_the_table_is_in_percent_and_says_what_it_compares(rows: list[Row]) -> None:
    console = Console(width=140, record=True)
    print_differences(differences(rows, VARIED), console)
    lines = [" ".join(line.replace("│", " ").split()) for line in console.export_text().splitlines()]
    assert "loss pixelwise maskwise 3 +3.0 +3.0 to +3.0" in lines
    assert "share points none 3 +1.0 +1.0 to +1.0" in lines
    print_differences(differences(rows[:1], VARIED), console)
    assert console.export_text() == ""
