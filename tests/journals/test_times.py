from pathlib import Path

import pytest

from fullseg.journals.courses import read_courses
from fullseg.journals.times import times
from tests.journals.test_courses import ACTIONS, write


def test_times_add_up_to_all_of_the_journal(tmp_path: Path) -> None:
    write(tmp_path, ACTIONS)
    found = times(read_courses(tmp_path, tmp_path / "fullseg")[0])
    assert (found.images, found.regions, found.strokes) == (1, 2, 4)
    assert (found.marking, found.drawing, found.naming, found.other, found.review) == (14, 12, 0, 1, 2)
    assert found.whole == sum(seconds for _, seconds in ACTIONS)
    assert found.per_region == 7
    assert found.per_stroke == pytest.approx(3)
