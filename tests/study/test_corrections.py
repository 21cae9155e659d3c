"""What a round has done to an image, against masks of whole images."""

import numpy as np
from hypothesis import given, settings

from fullseg.metrics.region_iou import region_iou
from fullseg.simulation import allocate, error_regions, simulate_scribbles
from fullseg.simulation.interaction import Round
from fullseg.study.corrections import judge
from fullseg.types import BACKGROUND, VOID, Annotations, Scribble
from tests.simulation.strategies import Case, cases, mask_of


@given(cases(), cases())
@settings(max_examples=100, deadline=None)
def test_counts_what_is_mended_and_what_breaks(case: Case, other: Case) -> None:
    strategy = "free" if case.seed % 2 else "per_region"  # two scribbles of the latter may share an error
    after = np.resize(other.prediction, case.truth.shape) % case.num_regions
    errors = allocate(error_regions(case.truth, case.prediction, case.num_regions), case.num_regions, strategy)
    scribbles = simulate_scribbles(case.truth, errors, np.random.default_rng(case.seed))
    state = Round(Annotations(np.zeros((case.num_regions, 4, 2), np.float32), scribbles), after, scribbles, errors)

    found = judge(case.prediction, state, case.truth, case.num_regions)

    masks = [mask_of(error, case) for error in errors]
    assert found.area.tolist() == [mask.sum() for mask in masks]
    assert found.mended.tolist() == [(mask & (after == case.truth)).sum() for mask in masks]
    assert found.region.tolist() == found.true_region.tolist() == [error.region for error in errors]
    right = np.where(case.truth == BACKGROUND, VOID, case.truth)
    assert found.damage == ((case.prediction == right) & (after != right) & (case.truth != VOID)).sum()
    ideal = np.where(np.any([np.zeros_like(case.truth), *masks], axis=0), case.truth, case.prediction)
    np.testing.assert_array_equal(found.ideal_iou, region_iou(ideal, case.truth, case.num_regions))


def test_length_is_along_the_scribble_and_a_misplaced_one_keeps_its_error() -> None:
    truth, before = np.zeros((9, 9), np.int64), np.ones((9, 9), np.int64)
    [error] = error_regions(truth, before, 2)
    paths = {0.0: [[3, 3]], 5.0: [[0, 0], [3, 4]], 2 + np.sqrt(2): [[0, 0], [1, 1], [1, 3]]}
    for length, path in paths.items():
        scribble = Scribble(1, np.array(path, np.float32))
        state = Round(Annotations(np.zeros((2, 4, 2), np.float32), [scribble]), before, [scribble], [error])
        found = judge(before, state, truth, 2)
        np.testing.assert_allclose(found.length, [length], rtol=1e-6)
        assert (found.region.tolist(), found.true_region.tolist(), found.mended.tolist()) == ([1], [0], [0])


def test_a_round_without_scribbles_is_empty() -> None:
    truth = np.zeros((4, 4), np.int64)
    found = judge(truth, Round(Annotations(np.zeros((1, 4, 2), np.float32), []), truth, [], []), truth, 1)
    assert [len(column) for column in found[:5]] == 5 * [0]
    assert (found.damage, found.ideal_iou.tolist()) == (0, [1.0])
