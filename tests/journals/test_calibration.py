from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullseg import Predictor
from fullseg.journals.calibration import Calibration, calibrate, ends_of_strokes, spread_outwards
from fullseg.journals.courses import read_courses
from fullseg.journals.strokes import Ground, facts
from fullseg.types import VOID, Scribble
from tests.annotated_people import NOISE, SECONDS, Annotated


@pytest.fixture(scope="module")
def found(people: Annotated, tiny_checkpoint: Path) -> Calibration:
    return calibrate(read_courses(people.folder, people.out)[0], Predictor.from_checkpoint(tiny_checkpoint), 0)


def test_it_finds_the_habits_of_the_person_again(found: Calibration) -> None:
    assert found.noise.points == pytest.approx(NOISE.points, rel=0.25)
    assert found.noise.scribble_length == pytest.approx(NOISE.scribble_length, rel=0.2)
    assert found.noise.scribble_spread == pytest.approx(NOISE.scribble_spread, abs=0.15)
    assert found.noise.scribble_dot == pytest.approx(NOISE.scribble_dot, abs=0.06)
    assert found.noise.scribble_offset == pytest.approx(NOISE.scribble_offset, abs=0.6)
    assert found.noise.scribble_misplaced == pytest.approx(NOISE.scribble_misplaced, abs=0.05)
    assert found.seconds.region == pytest.approx(SECONDS.region, rel=0.15)
    assert found.seconds.scribble == pytest.approx(SECONDS.scribble, rel=0.2)
    assert found.seconds.pixel == pytest.approx(SECONDS.pixel, rel=0.5)
    assert found.seconds.hesitation == pytest.approx(SECONDS.hesitation, rel=0.15)


def test_its_options_are_those_of_an_experiment(found: Calibration) -> None:
    from fullseg.config.load import load_config

    options = found.options()
    flat = [f"study.{group}.{key}={value}" for group, some in options["study"].items() for key, value in some.items()]
    config = load_config(None, [*flat, f"scribbles.short={options['scribbles']['short']}"])
    assert config.study.noise.points == pytest.approx(found.noise.points, abs=1e-3)


def test_too_few_strokes_are_an_error(people: Annotated, tiny_checkpoint: Path) -> None:
    courses = read_courses(people.folder, people.out)[0][:1]
    few = courses[0]._replace(work=courses[0].work._replace(strokes=courses[0].work.strokes[:3]))
    with pytest.raises(ValueError, match="at least 20 are needed"):
        calibrate([few], Predictor.from_checkpoint(tiny_checkpoint), 0)


@given(st.floats(10, 60), st.floats(0.1, 0.8), st.integers(0, 2**31))
@settings(max_examples=10)
def test_lengths_at_which_strokes_end_are_found_among_those_that_errors_end(
    median: float, spread: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    possible = np.exp(rng.normal(4.5, 0.8, 1500))
    real = np.minimum(possible, median * np.exp(spread * rng.normal(size=1500)))
    found = ends_of_strokes(real, rng.permutation(possible))
    assert found[0] == pytest.approx(median, rel=0.15)
    assert found[1] == pytest.approx(spread, abs=0.12)


def test_strokes_that_errors_alone_end_have_no_length_of_their_own() -> None:
    rng = np.random.default_rng(0)
    assert ends_of_strokes(np.exp(rng.normal(3, 0.5, 300)), np.exp(rng.normal(3, 0.5, 2000))) == (0, 0)
    assert ends_of_strokes(np.zeros(0), np.ones(3)) == (0, 0)


@given(st.floats(0.5, 8), st.integers(0, 2**31))
def test_points_that_lie_too_far_inside_are_not_needed(sigma: float, seed: int) -> None:
    errors = np.random.default_rng(seed).normal(0, sigma, 4000)
    assert spread_outwards(np.maximum(errors, 0)) == pytest.approx(sigma, rel=0.1)
    assert spread_outwards(np.zeros(100)) == 0


def test_facts_about_strokes_ignore_their_own_thin_lines() -> None:
    labels = np.zeros((20, 40), np.int64)
    labels[:, 20:] = 1
    labels[10, 2:8] = 1  # the line of a stroke that keeps its pixels
    ground = Ground.of(labels)
    core = ground.core
    assert set(core[10, 2:8]) == {VOID}
    assert np.array_equal(core[:, 20:], labels[:, 20:])
    strokes = [
        Scribble(1, np.array([[14, 5], [25, 5]], np.float32)),  # half of it outside
        Scribble(0, np.array([[25, 5], [30, 5]], np.float32)),  # elsewhere
        Scribble(1, np.array([[25, 12]], np.float32)),  # a dot
    ]
    found = facts(strokes, ground)
    assert found.length.tolist() == [11, 5, 0]
    assert found.outside.tolist() == [0.5, 1, 0]
    assert found.elsewhere.tolist() == [False, True, False]
    assert found.start.tolist() == [0, 0, 5]  # from the pixels at the border, of which the first is at x = 20
