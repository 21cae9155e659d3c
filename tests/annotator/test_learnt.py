import json
from pathlib import Path

import pytest

from fullseg.annotator.learnt import Learnt, Models, read_models, write_models
from fullseg.errors import DataError


def learnt(name: str, iou: tuple[float, float] = (0.7, 0.8), strokes: tuple[float, float] = (20, 15)) -> Learnt:
    return Learnt(name, f"{name}.ckpt", "photos", 12, 3, iou, strokes, None)


def test_only_a_newest_model_that_is_better_in_both_is_offered() -> None:
    assert Models().offered is None
    assert Models().adding(learnt("a")).offered == learnt("a")
    for iou, strokes in (((0.8, 0.8), (20, 15)), ((0.7, 0.8), (15, 15)), ((0.7, 0.8), (15, 20))):
        models = Models().adding(learnt("a")).adding(learnt("b", iou, strokes))
        assert models.offered is None
    assert Models().adding(learnt("a")).using("a", 1.0).offered is None


def test_going_back_leads_through_all_models_that_were_in_use() -> None:
    models = Models().adding(learnt("a")).adding(learnt("b")).using("a", 1.0).using("b", 2.0)
    assert (models.current, models.since) == (learnt("b"), 2.0)
    before = models.back(3.0)
    assert (before.current, before.since) == (learnt("a"), 3.0)
    first = before.back(4.0)
    assert (first.current, first.since) == (None, 0.0)
    with pytest.raises(DataError, match="none to go back from"):
        first.back(5.0)
    with pytest.raises(DataError, match="no model 'c'"):
        models.using("c", 3.0)


def test_the_list_is_kept_on_disk(tmp_path: Path) -> None:
    assert read_models(tmp_path) == Models()
    models = Models().adding(learnt("a")).adding(learnt("b")._replace(remembered=(0.9, 0.89))).using("b", 2.0)
    write_models(tmp_path, models)
    assert read_models(tmp_path) == models
    path = tmp_path / "learning" / "models.json"
    older = {key: value for key, value in json.loads(path.read_text()).items() if key not in ("since", "chosen")}
    path.write_text(json.dumps(older))
    assert read_models(tmp_path) == models._replace(since=0.0)
    path.write_text('{"learnt": [{}], "used": []}')
    with pytest.raises(DataError, match=r"models.json is damaged .*: remove it"):
        read_models(tmp_path)
