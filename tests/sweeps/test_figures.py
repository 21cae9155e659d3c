from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fullseg.sweeps.figures import draw
from fullseg.sweeps.results import Group, Row


def entry(values: dict[str, str], *iou: float, curve: Any = None, **metrics: float) -> Group:
    return Group(values, [Row("", {}, "", {"iou": value, **metrics}, curve) for value in iou])


def means(axes: Axes) -> dict[str, list[tuple[float, float]]]:
    """Return the points of every legend entry with error bars."""
    return {
        bars.get_label(): [(float(x), float(y)) for x, y in bars.lines[0].get_xydata()]
        for bars in axes.containers  # type: ignore[attr-defined]
    }


def labels(figure: Figure) -> tuple[str, str]:
    return figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()


def test_a_grid_is_points_with_the_seeds_as_error_bars() -> None:
    groups = [
        entry({"loss": loss, "share": share}, base, base + 0.02)
        for loss, share, base in (("m", "none", 0.7), ("m", "all", 0.71), ("p", "none", 0.74), ("p", "all", 0.75))
    ]
    figure = draw("s", groups)
    [axes] = figure.axes
    assert labels(figure) == ("loss", "mean IoU of extreme points alone, %")
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["m", "p"]
    points = means(axes)
    assert [round(y, 6) for _, y in points["share=none"]] == [71, 75]
    assert [round(y, 6) for _, y in points["share=all"]] == [72, 76]
    (x0, _), (x1, _) = points["share=none"][0], points["share=all"][0]
    assert abs(x0) < 0.2
    assert x0 != x1  # the error bars do not cover each other
    [collection] = axes.containers[0].lines[2]  # type: ignore[attr-defined]
    low, high = collection.get_segments()[0][:, 1]
    assert (high - low) / 2 == pytest.approx(np.std([70, 72], ddof=1))


def test_numbers_are_an_axis_and_a_third_parameter_panels() -> None:
    groups = [
        entry({"max_scribbles": str(number), "predictor": predictor, "jitter": jitter}, 0.5 + 0.01 * number)
        for number in (2, 4, 8)
        for predictor in ("counterpart", "self", "third", "fourth")  # more than there are numbers
        for jitter in ("0", "5")
    ]
    figure = draw("s", groups)
    assert [axes.get_title() for axes in figure.axes] == ["jitter=0", "jitter=5"]
    points = means(figure.axes[1])
    assert list(points) == [f"predictor={name}" for name in ("counterpart", "self", "third", "fourth")]
    assert [(round(x), round(y, 6)) for x, y in points["predictor=self"]] == [(2, 52), (4, 54), (8, 58)]


def test_few_studies_are_curves_with_bands() -> None:
    def one(name: str, *ends: float) -> Group:
        curves = [np.array([[0, 0.5], [4, end]]) for end in ends]
        return Group({"strategy": name}, [Row("", {}, name, {"iou_at_4": c[-1, 1]}, c) for c in curves])

    figure = draw("s", [one("free", 0.9, 0.86), one("per_region", 0.8)])
    [axes] = figure.axes
    assert labels(figure) == ("scribbles per region (average over the images)", "mean IoU of all regions, %")
    assert {line.get_label(): line.get_ydata()[-1] for line in axes.lines} == pytest.approx(
        {"full image, free allocation": 88, "full image, per region": 80}
    )
    assert len(axes.collections) == 1  # no band for a single seed


def test_models_of_different_size_are_accuracy_against_cost() -> None:
    groups = [
        entry({"backbone": name, "stride": stride}, iou, seconds_per_image=seconds, memory=1e9 * gigabytes)
        for name, stride, iou, seconds, gigabytes in (
            ("lite", "8", 0.60, 0.010, 1),
            ("lite", "4", 0.65, 0.030, 2),
            ("res", "8", 0.63, 0.040, 3),  # the second is better in both
            ("res", "4", 0.70, 0.060, 4),
        )
    ]
    figure = draw("s", groups)
    axes = figure.axes[0]
    assert labels(figure) == ("time of an image, ms", "mean IoU of extreme points alone, %")
    front = next(line for line in axes.lines if line.get_label() == "best at its cost")
    np.testing.assert_allclose(front.get_xydata(), [[10, 60], [30, 65], [60, 70]])
    marked = [
        collection.get_offsets().data.tolist() for collection in axes.collections if collection.get_label()[:1] == "b"
    ]
    np.testing.assert_allclose(marked, [[[10, 60], [30, 65]], [[40, 63], [60, 70]]])  # one group of points per backbone
    assert figure.axes[1].get_ylabel() == "peak memory of the run, GB"
    assert "3: backbone=res, stride=4" in figure.get_supxlabel()


def test_seeds_alone_are_one_point() -> None:
    [points] = means(draw("s", [entry({}, 0.5, 0.6)]).axes[0]).values()
    assert points == [(0, pytest.approx(55))]
