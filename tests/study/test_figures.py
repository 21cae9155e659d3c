from typing import Any

import numpy as np
import pytest

from fullseg.config.strategies import STRATEGIES
from fullseg.simulation.interaction import Round
from fullseg.study.figures import against_seconds, choose_images, curves, interaction_grid, noise_curves, spreading
from fullseg.types import Annotations, Sample, SampleKey, Scribble


def study(last: float = 0.9, **noise: float) -> dict[str, Any]:
    curve = {
        "scribbles_per_region": [0, 0.9, 1.8],
        "iou": [0.7, 0.8, last],
        "iou_ci95": [[0.68, 0.72], [0.78, 0.82], [0.88, 0.92]],
    }
    levels = {"points": 0.0, "scribble_offset": 0.0, **noise}
    strategies = {"free": curve, "per_region": curve}
    return {"strategies": strategies, "noise": levels, "rounds": 2, "hold_scribbles": False}


def test_curves_show_every_strategy_and_the_papers_numbers() -> None:
    [axes] = curves({"a": study()}).axes
    lines = {line.get_label(): line for line in axes.lines}
    np.testing.assert_allclose(lines[STRATEGIES["free"].title].get_ydata(), [70, 80, 90])
    np.testing.assert_allclose(lines[STRATEGIES["free"].title].get_xdata(), [0, 0.9, 1.8])
    dotted = [list(line.get_ydata()) for line in axes.lines if line.get_linestyle() == ":" and len(line.get_ydata())]
    assert sorted(dotted) == [[79.1, 88], [79.1, 90]]
    assert len(axes.collections) == 2  # bands


def test_the_papers_numbers_are_not_drawn_beside_scribbles_that_keep_their_pixels() -> None:
    [axes] = curves({"a": {**study(), "hold_scribbles": True}}).axes
    assert ":" not in {line.get_linestyle() for line in axes.lines}
    assert axes.get_title() == "scribbles keep their pixels"
    [axes] = curves({"a": {**study(), "hold_scribbles": True}, "b": study()}).axes
    assert len([line for line in axes.lines if line.get_linestyle() == ":" and len(line.get_ydata())]) == 2


def test_curves_of_two_runs_are_named_and_told_apart() -> None:
    [axes] = curves({"a": study(), "b": study(0.95)}).axes
    labelled = {line.get_label(): line.get_linestyle() for line in axes.lines}
    assert labelled[f"a: {STRATEGIES['free'].title}"] == "-"
    assert labelled[f"b: {STRATEGIES['free'].title}"] == "--"


def test_spreading_shows_eta_and_the_error_at_boundaries_by_round() -> None:
    content = study()
    content["strategies"]["free"] |= {"eta": [None, 0.5, -0.1], "error_at_boundary": [0.2, 0.4, None]}
    content["strategies"]["per_region"] = dict(study()["strategies"]["free"])  # studied by an earlier version
    figure = spreading({"a": content})
    assert figure is not None
    for axes, expected in zip(figure.axes, ([np.nan, 0.5, -0.1], [20, 40, np.nan]), strict=True):
        [line] = [line for line in axes.lines if line.get_label() == STRATEGIES["free"].title]
        np.testing.assert_allclose(line.get_xdata(), [0, 1, 2])
        np.testing.assert_allclose(line.get_ydata(), expected)
        assert STRATEGIES["per_region"].title not in {line.get_label() for line in axes.lines}
    assert spreading({"a": study()}) is None


def test_noise_curves_hold_all_other_kinds_at_zero() -> None:
    studies = [study(0.9), study(0.6, points=8), study(0.8, points=4), study(0.1, points=4, scribble_offset=2)]
    [axes] = noise_curves(studies).axes[:1]
    np.testing.assert_allclose(axes.lines[0].get_xdata(), [0, 4, 8])
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [90, 80, 60])
    assert axes.get_ylabel() == "mean IoU at 1.8 scribbles per region, %"
    fewer = study(0.7, points=2)
    fewer["strategies"]["free"] = {**fewer["strategies"]["free"], "scribbles_per_region": [0, 0.45, 0.9]}
    [axes] = noise_curves([*studies, fewer]).axes[:1]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [80, 70, 80, 80])  # all at 0.9 scribbles per region


def test_grid_has_a_row_an_image() -> None:
    truth = np.zeros((40, 60), np.int64)
    points = np.array([[[0, 20], [30, 0], [59, 20], [30, 39]]], np.float32)
    stroke = Scribble(0, np.array([[5, 5], [20, 20]], np.float32))
    sample = Sample(SampleKey(0, 0), "a", np.full((40, 60, 3), 128, np.uint8), truth, np.zeros(1, np.int64), points)
    rounds = [Round(Annotations(points, []), truth - 1, [], [])]
    rounds += [Round(Annotations(points, [stroke]), truth, [stroke], [])]
    one, two = (interaction_grid(count * [("title", sample, rounds)]) for count in (1, 2))
    assert two.width == one.width >= 6 * 60
    assert two.height == 2 * one.height
    assert (np.array(one) != 255).any()


def test_best_median_and_worst_are_chosen() -> None:
    chosen = choose_images(["a", "b", "c", "d", "e"], np.array([0.5, 0.9, 0.1, 0.7, 0.6]))
    assert [at for _, at in chosen] == [1, 4, 2]
    assert chosen[0][0] == "best: b, final IoU 90.0 %"


@pytest.mark.parametrize("count", [1, 2])
def test_choice_needs_no_more_than_one_image(count: int) -> None:
    assert len(choose_images(["a", "b"][:count], np.array([0.5, 0.4][:count]))) == 3


def test_quality_against_time_is_per_region_and_per_image() -> None:
    timed = {"annotator_seconds_per_region": [7.0, 10.0, 13.0], "iou": [0.7, 0.8, 0.85]}
    study = {"regions": 30, "images": 2, "strategies": {"free": timed, "frozen": {"iou": [0.7, 0.7, 0.7]}}}
    figure = against_seconds({"run": study})
    assert figure is not None
    (per_region,), (per_image,) = (axes.lines[:1] for axes in figure.axes)
    np.testing.assert_allclose(per_region.get_xdata(), [7, 10, 13])
    np.testing.assert_allclose(per_image.get_xdata(), [15 * 7 / 60, 15 * 10 / 60, 15 * 13 / 60])
    np.testing.assert_allclose(per_image.get_ydata(), [70, 80, 85])
    assert len(figure.axes[1].lines) == 1  # the paper knows the time per region alone
    assert against_seconds({"run": {"strategies": {"free": {"iou": [0.7]}}}}) is None
