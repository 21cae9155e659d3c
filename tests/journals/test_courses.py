import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fullseg.annotator.actions import Add, Finish, Scribbles, Stroke, Undo
from fullseg.annotator.export import export_image
from fullseg.annotator.store import Journal
from fullseg.annotator.work import History, Work
from fullseg.errors import DataError
from fullseg.journals.courses import finished_images, read_courses
from tests.annotated_people import Annotated

SIZE = (40, 60)
QUADS: list[Any] = [((0, 20), (10, 0), (29, 20), (10, 39)), ((30, 20), (40, 0), (59, 20), (40, 39))]
TRUTH = np.where(np.arange(60) < 30, 0, 1) + np.zeros(SIZE, np.int64)


def stroke(region: int, x: float) -> Stroke:
    return Stroke(region=region, points=((x, 5), (x, 15)))


ACTIONS: list[tuple[Any, float]] = [
    (Add(points=QUADS[0]), 8),
    (Add(points=QUADS[1]), 6),
    (Scribbles(strokes=(stroke(1, 5), stroke(2, 35))), 5),
    (Scribbles(strokes=(stroke(2, 40),)), 3),
    (Undo(), 1),
    (Scribbles(strokes=(stroke(2, 45),)), 4),
    (Finish(done=True), 2),
]


def write(folder: Path, actions: list[tuple[Any, float]], *, revision: int | None = None, scale: int = 1) -> None:
    journal = Journal(folder / "fullseg" / "journal.sqlite")
    Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(folder / "a.png")
    journal.open_image("a.png", SIZE)
    history = History((Work(SIZE),))
    for number, (action, seconds) in enumerate(actions):
        journal.append("a.png", number, action, seconds)
        history = history.after(action)
    journal.close()
    full = TRUTH.repeat(scale, axis=0).repeat(scale, axis=1)
    ids = [1] * len(history.work.regions)
    export_image(folder / "fullseg" / "export", "a.png", history.work, full, ids, {1}, revision or len(actions))


def test_a_course_has_what_counts_in_the_end_and_all_of_the_time(tmp_path: Path) -> None:
    write(tmp_path, ACTIONS, scale=3)
    [course], left_out = read_courses(tmp_path, tmp_path / "fullseg")
    assert left_out == []
    assert [one.points[0][0] for one in course.work.strokes] == [5, 35, 45]
    assert course.stroke_seconds.tolist() == [2.5, 2.5, 4]  # two strokes of one action share its time
    assert course.seconds() == sum(seconds for _, seconds in ACTIONS)
    assert course.seconds_of(Add) == 14
    assert np.array_equal(course.truth, TRUTH)  # at the size that the network sees, from a file of three times the size
    assert course.path == tmp_path / "a.png"


def test_only_images_that_are_done_now_count(tmp_path: Path) -> None:
    write(tmp_path, [*ACTIONS, (Scribbles(strokes=(stroke(1, 9),)), 1)])
    with pytest.raises(DataError, match=r"no image in .*journal.sqlite is finished: mark images as done"):
        read_courses(tmp_path, tmp_path / "fullseg")


def test_an_export_of_an_earlier_state_is_no_truth(tmp_path: Path) -> None:
    write(tmp_path, ACTIONS, revision=4)
    with pytest.raises(DataError, match=r"a.png: its last export is not of its last state; open it"):
        read_courses(tmp_path, tmp_path / "fullseg")


def test_exports_of_earlier_versions_do_not_say_their_revision(tmp_path: Path) -> None:
    write(tmp_path, ACTIONS)
    part = tmp_path / "fullseg" / "export" / "parts" / "a.png.json"
    content = json.loads(part.read_text())
    del content["revision"], content["png"]
    part.write_text(json.dumps(content))
    assert len(read_courses(tmp_path, tmp_path / "fullseg")[0]) == 1


def test_without_a_journal_the_remedy_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no .*journal.sqlite: annotate images first"):
        read_courses(tmp_path, tmp_path / "fullseg")
    assert not (tmp_path / "fullseg").exists()  # reading makes nothing


def test_a_missing_image_and_a_damaged_part_are_named(people: Annotated, tmp_path: Path) -> None:
    shutil.copytree(people.folder, tmp_path / "copy")
    gone = sorted((tmp_path / "copy").glob("*.png"))[0]
    gone.unlink()
    found, left_out = finished_images(tmp_path / "copy", tmp_path / "copy" / "fullseg")
    assert len(found) == len(people.samples) - 1
    assert left_out == [f"{gone.name}: the image is not in {tmp_path / 'copy'} any more"]
    part = sorted((tmp_path / "copy" / "fullseg" / "export" / "parts").glob("*.json"))[1]
    part.write_text("{")
    with pytest.raises(DataError, match=f"{part} cannot be read"):
        finished_images(tmp_path / "copy", tmp_path / "copy" / "fullseg")


def test_courses_of_a_simulated_person_hold_its_annotations(people: Annotated) -> None:
    courses, _ = read_courses(people.folder, people.out)
    assert len(courses) == len(people.samples)
    by_name = {f"{sample.name.split('.')[0]}.png": sample for sample in people.samples}
    for course in courses:
        sample = by_name[course.name]
        labels = np.where(sample.region_map >= 0, sample.region_map, -1)
        assert np.array_equal(course.truth, labels)
        assert len(course.work.regions) == len(sample.classes)
        assert len(course.stroke_seconds) == len(course.work.strokes) > 0
