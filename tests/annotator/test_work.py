"""The state of an image's annotation: actions, undo and redo, and the annotations for the model."""

import numpy as np
import pytest
from hypothesis import given

from fullseg.annotator.actions import ActionError, read_action
from fullseg.annotator.work import History, Work, apply
from tests.annotator.actions_of import SEQUENCES, SIZE

BOX = [[2, 10], [10, 2], [20, 10], [10, 20]]  # left, top, right, bottom
OTHER = [[15, 12], [25, 5], [35, 12], [25, 25]]


def after(*contents: dict[str, object]) -> Work:
    history = History((Work(SIZE),))
    for content in contents:
        history = history.after(read_action(content))
    return history.work


def add(points: list[list[int]] = BOX, **fields: object) -> dict[str, object]:
    return {"kind": "add", "points": points, **fields}


def scribbles(*strokes: tuple[int, list[list[int]]]) -> dict[str, object]:
    return {"kind": "scribbles", "strokes": [{"region": region, "points": points} for region, points in strokes]}


def test_the_model_is_asked_with_the_regions_in_their_order_and_the_strokes_in_drawing_order() -> None:
    work = after(
        add(),
        add(OTHER),
        scribbles((2, [[30, 12], [31, 13]]), (1, [[5, 10]])),
        scribbles((2, [[20, 12]])),
        {"kind": "reorder", "order": [2, 1]},
    )
    annotations = work.annotations()
    assert annotations.extreme_points.dtype == np.float32
    assert annotations.extreme_points.tolist() == [OTHER, BOX]
    assert [(s.region, s.points.tolist()) for s in annotations.scribbles] == [
        (0, [[30, 12], [31, 13]]),
        (1, [[5, 10]]),
        (0, [[20, 12]]),
    ]


def test_four_clicks_in_any_order_are_the_same_extreme_points() -> None:
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]):
        assert after(add([BOX[i] for i in order])).annotations().extreme_points.tolist() == [BOX]


def test_a_deleted_region_takes_its_strokes_along_and_its_id_is_not_used_again() -> None:
    work = after(add(), add(OTHER), scribbles((1, [[5, 10]]), (2, [[30, 12]])), {"kind": "delete", "region": 2}, add())
    assert [region.id for region in work.regions] == [1, 3]
    assert [stroke.region for stroke in work.strokes] == [1]


def test_merging_keeps_all_evidence() -> None:
    work = after(
        add(name="dog"),
        add(OTHER, name="tail"),
        scribbles((2, [[30, 12]]), (1, [[5, 10]])),
        {"kind": "merge", "region": 1, "other": 2},
    )
    (region,) = work.regions
    assert (region.id, region.name) == (1, "dog")
    assert region.points == ((2, 10), (10, 2), (35, 12), (25, 25))  # the outer points of both regions
    paths = [(stroke.region, stroke.points) for stroke in work.strokes]
    assert paths[:2] == [(1, ((30, 12),)), (1, ((5, 10),))]  # in drawing order
    assert {path for _, (path,) in paths[2:]} == {(15, 12), (25, 5), (20, 10), (10, 20)}  # the inner points are inside


def test_a_locked_region_changes_only_after_unlocking() -> None:
    locked = (add(), add(OTHER), {"kind": "lock", "region": 1, "mask": "04"})
    for content in (
        scribbles((1, [[5, 10]])),
        {"kind": "move", "region": 1, "points": OTHER},
        {"kind": "merge", "region": 2, "other": 1},
        {"kind": "lock", "region": 1, "mask": "1"},
    ):
        with pytest.raises(ActionError, match="region 1 is locked: unlock it first"):
            after(*locked, content)
    assert after(*locked).regions[0].mask == "04"
    assert after(*locked, {"kind": "unlock", "region": 1}, scribbles((1, [[5, 10]]))).regions[0].mask is None


def test_several_strokes_are_one_action() -> None:
    assert after(add(), scribbles((1, [[5, 10]]), (1, [[6, 10]])), {"kind": "undo"}).strokes == ()
    with pytest.raises(ActionError, match="region 7: there is no such region"):
        after(add(), scribbles((1, [[5, 10]]), (7, [[6, 10]])))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (add([[2, 10], [10, 2], [60, 10], [10, 20]]), r"point \(x=60, y=10\) lies outside the image of 40 x 30 pixels"),
        (scribbles((1, [[5, -3]])), r"point \(x=5, y=-3\) lies outside"),
        ({"kind": "merge", "region": 1, "other": 1}, "region 1 cannot be merged with itself"),
        ({"kind": "reorder", "order": [1, 1]}, "name every region once"),
        ({"kind": "lock", "region": 1}, "a lock needs the region's pixels"),
        ({"kind": "redo"}, "nothing to redo"),
    ],
)
def test_what_cannot_be_done_says_why(content: dict[str, object], message: str) -> None:
    with pytest.raises(ActionError, match=message):
        after(add(), content)


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ({"kind": "add", "points": BOX[:3]}, "add.points.3"),
        ({"kind": "add", "points": [[float("nan"), 1], *BOX[1:]]}, "add.points.0.0"),
        ({"kind": "add", "points": BOX, "colour": 1}, "add.colour"),
        ({"kind": "add", "points": BOX, "name": "x" * 201}, "add.name"),
        ({"kind": "delete", "region": "one"}, "delete.region"),
        ({"kind": "scribbles", "strokes": []}, "scribbles.strokes"),
        ({"kind": "explode"}, "the action"),
        ("add", "the action"),
        (None, "the action"),
    ],
)
def test_malformed_actions_name_the_field(content: object, place: str) -> None:
    with pytest.raises(ActionError, match=f"^{place}: "):
        read_action(content)


@given(SEQUENCES)
def test_undo_and_redo_reach_every_state_and_nothing_else(contents: list[dict[str, object]]) -> None:
    history = History((Work(SIZE),))
    states, now = [Work(SIZE)], 0  # the reference implementation: a list and an index
    for content in contents:
        action = read_action(content)
        try:
            history = history.after(action)
        except ActionError:
            assert history.work == states[now]
            continue
        if content["kind"] in ("undo", "redo"):
            now += 1 if content["kind"] == "redo" else -1
        else:
            base = states[now]._replace(next_id=max(state.next_id for state in states))  # no id is given twice
            after = apply(action, base)
            after = after if content["kind"] == "finish" else after._replace(done=False)
            states, now = [*states[: now + 1], after], now + 1
        assert history.work == states[now]
        annotations = history.work.annotations()  # raises if the state is inconsistent
        assert len(annotations.extreme_points) == len(history.work.regions)
        assert all(0 <= scribble.region < len(history.work.regions) for scribble in annotations.scribbles)


def test_an_id_that_was_undone_is_not_given_again() -> None:
    history = History((Work(SIZE),))
    for content in ({"kind": "add", "points": BOX}, {"kind": "undo"}, {"kind": "add", "points": BOX}):
        history = history.after(read_action(content))
    assert [region.id for region in history.work.regions] == [2]


def test_an_image_that_is_changed_is_not_done_any_more() -> None:
    history = History((Work(SIZE),))
    for content in ({"kind": "finish", "done": True}, {"kind": "add", "points": BOX}):
        history = history.after(read_action(content))
    assert history.work.done is False
    assert history.after(read_action({"kind": "undo"})).work.done is True


def test_a_way_too_long_to_draw_is_refused() -> None:
    history = History((Work(SIZE),)).after(read_action({"kind": "add", "points": BOX}))
    stroke = {"region": 1, "points": [[0, 0], [SIZE[1] - 1, SIZE[0] - 1]] * 10_000}
    content = {"kind": "scribbles", "strokes": [stroke, stroke, stroke]}
    with pytest.raises(ActionError, match=r"strokes: they are \d+ px long together, more than 1000000"):
        history.after(read_action(content))
