from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from numpy.typing import NDArray

from fullseg.simulation import allocate, error_regions
from fullseg.simulation.interaction import Habits, draw_habits, interact, training_round, training_scribbles
from fullseg.simulation.noise import NO_NOISE
from fullseg.simulation.randomness import EVALUATION, TRAINING, seeded
from fullseg.types import Annotations
from tests.simulation.strategies import Case, cases


def by_hand(case: Case, calls: list[int]) -> object:
    """Return a model that gives the pixels of scribbles to their regions and changes nothing else."""

    def predict(annotations: Annotations, number: int) -> NDArray[np.int64]:
        calls.append(number)
        painted = case.prediction.copy()
        for scribble in annotations.scribbles:
            x, y = scribble.points.astype(int).T
            painted[y, x] = scribble.region
        return painted

    return predict


def rounds_of(case: Case, strategy: str, rounds: int, calls: list[int]) -> list[object]:
    points = np.zeros((case.num_regions, 4, 2), np.float32)
    states = interact(
        case.truth,
        points,
        by_hand(case, calls),  # type: ignore[arg-type]
        strategy=strategy,
        rounds=rounds,
        noise=NO_NOISE,
        rng_of=lambda number: seeded(case.seed, EVALUATION, 0, 7, number),
    )
    return list(states)


@given(cases())
@settings(max_examples=60, deadline=None)
def test_every_round_adds_at_most_n_scribbles_and_never_makes_such_a_model_worse(case: Case) -> None:
    for strategy in ("per_region", "free"):
        states = rounds_of(case, strategy, 4, [])
        assert len(states) == 5
        wrong = [((state.prediction != case.truth) & (case.truth >= 0)).sum() for state in states]  # type: ignore[attr-defined]
        for before, after, error_count in zip(states, states[1:], wrong, strict=False):
            new = after.new_scribbles  # type: ignore[attr-defined]
            assert len(new) <= case.num_regions
            assert bool(new) == (error_count > 0)
            together = before.annotations.scribbles + new  # type: ignore[attr-defined]
            assert [s.region for s in together] == [s.region for s in after.annotations.scribbles]  # type: ignore[attr-defined]
        assert wrong == sorted(wrong, reverse=True)


@given(cases())
@settings(max_examples=60, deadline=None)
def test_a_round_has_the_error_of_each_scribble_even_of_a_misplaced_one(case: Case) -> None:
    for noise in (NO_NOISE, NO_NOISE._replace(scribble_misplaced=1.0)):
        states = list(
            interact(
                case.truth,
                np.zeros((case.num_regions, 4, 2), np.float32),
                by_hand(case, []),  # type: ignore[arg-type]
                strategy="free",
                rounds=2,
                noise=noise,
                rng_of=lambda number: seeded(case.seed, EVALUATION, 0, 7, number),
            )
        )
        assert states[0].errors == []
        for before, after in pairwise(states):
            errors = error_regions(case.truth, before.prediction, case.num_regions)
            expected = [error[:4] for error in allocate(errors, case.num_regions, "free")]
            assert [error[:4] for error in after.errors] == expected
            for scribble, error in zip(after.new_scribbles, after.errors, strict=True):
                x, y = scribble.points[0].astype(int) - error.box[:2]
                assert error.mask[y, x]  # a scribble starts in its error
                assert (scribble.region == error.region) == (noise is NO_NOISE or case.num_regions == 1)


def test_asks_again_only_when_something_is_new_and_always_in_round_1() -> None:
    truth = np.array([[0, 0, 1, 1]])
    calls: list[int] = []
    rounds_of(Case(truth, truth, 2, 0), "free", 3, calls)
    assert calls == [0, 1]  # there is nothing to correct, but round 1 may ask another model
    calls.clear()
    rounds_of(Case(truth, np.array([[0, 1, 1, 1]]), 2, 0), "free", 3, calls)
    assert calls == [0, 1]
    calls.clear()
    rounds_of(Case(truth, np.array([[1, 0, 0, 0]]), 2, 0), "per_region", 3, calls)
    assert calls[:2] == [0, 1]


def test_rounds_follow_from_the_seed_alone() -> None:
    rng = np.random.default_rng(0)
    truth, prediction = rng.integers(0, 4, (2, 8, 8)).repeat(6, axis=1).repeat(6, axis=2)
    first, again, other = (
        rounds_of(Case(truth, prediction, 4, seed), "free", 3, [])[-1].annotations.scribbles  # type: ignore[attr-defined]
        for seed in (0, 0, 1)
    )
    assert [s.points.tolist() for s in first] == [s.points.tolist() for s in again]
    assert [s.points.tolist() for s in first] != [s.points.tolist() for s in other]


def test_noise_is_independent_of_the_random_numbers_of_the_points() -> None:
    points = np.full((1, 4, 2), 20, np.float32)
    slips, draws = [], []
    for seed in range(300):
        rounds = interact(
            np.zeros((50, 50), np.int64),
            points,
            lambda annotations, _: slips.append(annotations.extreme_points - points) or np.zeros((50, 50), np.int64),  # type: ignore[func-returns-value]
            strategy="free",
            rounds=0,
            noise=NO_NOISE._replace(points=2),
            rng_of=lambda _, seed=seed: np.random.default_rng(seed),  # type: ignore[misc]
        )
        next(rounds)
        draws.append(np.random.default_rng(seed).normal(size=points.shape))  # from the stream of the points
    assert abs(np.corrcoef(np.ravel(slips), np.ravel(draws))[0, 1]) < 0.1


def test_no_two_purposes_epochs_images_or_rounds_share_random_numbers() -> None:
    keys = [(0, TRAINING, 0, 0, 0), (1, TRAINING, 0, 0, 0), (0, EVALUATION, 0, 0, 0), (0, TRAINING, 1, 0, 0)]
    keys += [(0, TRAINING, 0, 1, 0), (0, TRAINING, 0, 0, 1)]
    assert len({seeded(*key).random() for key in keys}) == len(keys)


@given(cases())
@settings(max_examples=100, deadline=None)
def test_training_scribbles_go_to_errors_and_stay_below_their_number(case: Case) -> None:
    scribbles = training_scribbles(case.truth, case.prediction, case.num_regions, 3, np.random.default_rng(case.seed))
    errors = error_regions(case.truth, case.prediction, case.num_regions)
    assert len(scribbles) <= 3 * case.num_regions
    assert {scribble.region for scribble in scribbles} <= {error.region for error in errors}
    for scribble in scribbles:
        x, y = scribble.points.astype(int).T
        assert (case.truth[y, x] == scribble.region).all()
        assert case.prediction[y[0], x[0]] != scribble.region


@given(cases())
@settings(max_examples=100, deadline=None)
def test_a_round_of_training_goes_to_the_most_important_errors(case: Case) -> None:
    errors = error_regions(case.truth, case.prediction, case.num_regions)
    for strategy in ("free", "per_region"):
        scribbles = training_round(
            case.truth, case.prediction, case.num_regions, Habits(strategy, NO_NOISE), np.random.default_rng(case.seed)
        )
        regions = [error.region for error in allocate(errors, case.num_regions, strategy)]
        assert [scribble.region for scribble in scribbles] == regions[: len(scribbles)]
        assert bool(scribbles) == bool(errors)
        assert len(scribbles) <= case.num_regions


def test_a_round_of_training_has_a_quarter_of_n_to_n_scribbles() -> None:
    rng = np.random.default_rng(0)
    truth, prediction = rng.integers(0, 8, (2, 12, 12)).repeat(5, axis=1).repeat(5, axis=2)
    habits = Habits("free", NO_NOISE)
    counts = [len(training_round(truth, prediction, 8, habits, np.random.default_rng(seed))) for seed in range(200)]
    assert (min(counts), max(counts)) == (2, 8)
    assert np.mean(counts) == np.clip(np.mean(counts), 4.6, 5.4)  # 5 = (2 + 8) / 2


def test_half_of_the_annotators_work_freely_and_half_cut_their_scribbles() -> None:
    drawn = [draw_habits(0.6, np.random.default_rng(seed)) for seed in range(4000)]
    kinds = [(habits.strategy, habits.noise.scribble_short) for habits in drawn]
    assert set(kinds) == {("free", 0.6), ("free", 0), ("per_region", 0.6), ("per_region", 0)}
    assert all(900 < kinds.count(kind) < 1100 for kind in set(kinds))
    assert all(habits.noise._replace(scribble_short=0) == NO_NOISE for habits in drawn)


def test_cut_scribbles_begin_as_whole_ones() -> None:
    rng = np.random.default_rng(0)
    truth, prediction = rng.integers(0, 8, (2, 12, 12)).repeat(5, axis=1).repeat(5, axis=2)
    whole, cut = (
        training_round(truth, prediction, 8, Habits("free", NO_NOISE._replace(scribble_short=short)), rng)
        for short, rng in ((0, np.random.default_rng(1)), (0.9, np.random.default_rng(1)))
    )
    for one, other in zip(whole, cut, strict=True):
        np.testing.assert_array_equal(other.points, one.points[: len(other.points)])
    assert sum(len(s.points) for s in cut) < sum(len(s.points) for s in whole)


def test_training_sees_images_without_scribbles_nearly_finished_ones_and_all_between() -> None:
    rng = np.random.default_rng(0)
    truth, prediction = rng.integers(0, 5, (2, 10, 10)).repeat(5, axis=1).repeat(5, axis=2)
    counts = [len(training_scribbles(truth, prediction, 5, 4, np.random.default_rng(seed))) for seed in range(300)]
    assert min(counts) == 0
    assert max(counts) >= 18
    shares = np.histogram(counts, bins=4, range=(0, 20))[0] / 300
    assert (shares > 0.15).all()
