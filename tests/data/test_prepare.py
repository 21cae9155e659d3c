"""Data sets that a run makes for itself: generated or imported once, found again, and whole after an interruption."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fullseg.config.schema import DataConfig, ExtremePointsConfig
from fullseg.data import prepare as module
from fullseg.data import scenes as scenes_module
from fullseg.data.datamodule import InteractiveDataModule
from fullseg.data.prepare import prepare
from fullseg.errors import DataError
from fullseg.formats.coco_writer import NewSample, write_coco_panoptic
from fullseg.types import Category

CATEGORIES = (Category(7, "person", True),)
SAMPLE = NewSample("a.png", np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5), np.int64), np.zeros(1, np.int64))


def visible(folder: Path) -> set[str]:
    """Return the names in a folder that are not hidden, as lock files are."""
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


@pytest.fixture
def few_scenes(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Make the embedded data set tiny; return the folders it was written to, filled as it happens."""
    written = []
    original = module.write_scenes

    def recorded(out: Path, **options: Any) -> None:
        written.append(out)
        original(out, **options)

    monkeypatch.setattr(module, "SCENES", {"train": 2, "val": 1, "seed": 3})
    monkeypatch.setattr(module, "write_scenes", recorded)
    return written


def test_scenes_are_generated_once_and_used_again(tmp_path: Path, few_scenes: list[Path]) -> None:
    config = DataConfig(cache=str(tmp_path / "new" / "cache"), batch_size=1, workers=0, crop_size=64)
    data = InteractiveDataModule(config, extreme_points=ExtremePointsConfig(jitter=0), seed=0)
    data.prepare_data()
    data.setup("fit")
    assert [len(batch.names) for batch in data.train_dataloader()] == [1, 1]
    assert len(data.val_dataloader()) == 1
    folder = prepare(config)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    again = InteractiveDataModule(config, extreme_points=ExtremePointsConfig(jitter=0), seed=0)
    again.prepare_data()
    again.setup("fit")
    assert len(few_scenes) == 1
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert again.fingerprint() == data.fingerprint()
    assert visible(tmp_path / "new" / "cache") == {folder.name, "index"}


def test_other_scenes_get_another_folder(
    tmp_path: Path, few_scenes: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare(DataConfig(cache=str(tmp_path)))
    monkeypatch.setattr(module, "SCENES", {"train": 2, "val": 1, "seed": 4})
    assert prepare(DataConfig(cache=str(tmp_path))) != first
    assert len(few_scenes) == 2


@pytest.mark.parametrize("scenes", [1, 2])  # within the training split, or between the splits
def test_interrupted_generation_is_done_again(
    tmp_path: Path, few_scenes: list[Path], monkeypatch: pytest.MonkeyPatch, scenes: int
) -> None:
    config, generate = DataConfig(cache=str(tmp_path), batch_size=1, workers=0), scenes_module.generate_scene
    seen = []

    def interrupted(rng: np.random.Generator) -> Any:
        seen.append(rng)
        if len(seen) > scenes:
            raise KeyboardInterrupt
        return generate(rng)

    with monkeypatch.context() as patch:
        patch.setattr(scenes_module, "generate_scene", interrupted)
        with pytest.raises(KeyboardInterrupt):
            prepare(config)
    folder = tmp_path / "scenes-2-1-3"
    assert visible(folder) == ({"train"} if scenes == 2 else set())
    data = InteractiveDataModule(config, extreme_points=ExtremePointsConfig(jitter=0), seed=0)
    data.prepare_data()
    data.setup("fit")
    assert (len(data.train_partitions), len(data.val_partitions)) == (2, 1)
    assert len(few_scenes) == 2
    assert visible(tmp_path) == {folder.name, "index"}
    assert visible(folder) == {"train", "val"}
    uninterrupted = tmp_path / "whole"
    scenes_module.write_scenes(uninterrupted, train=2, val=1, seed=3)
    for path in uninterrupted.rglob("*.*"):
        if path.suffix != ".lock":
            assert path.read_bytes() == (folder / path.relative_to(uninterrupted)).read_bytes()


def test_bsds500_is_imported_once_for_each_least_area_and_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imports = []

    def recorded(root: Path, out: Path, split: str, *, min_region_area: int, exist_ok: bool) -> None:
        assert exist_ok  # another process may be faster
        imports.append((root.name, split, min_region_area))
        write_coco_panoptic(out / split, CATEGORIES, [SAMPLE])

    monkeypatch.setattr(module, "import_bsds500", recorded)
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
    folders = set()
    for place, area in (("a", 25), ("a", 25), ("a", 9), ("b", 9)):
        options = {"root": str(tmp_path / place), "cache": str(tmp_path / "cache"), "min_region_area": area}
        folder = prepare(DataConfig(format="bsds500", **options))  # type: ignore[arg-type]
        assert (folder / "train" / "panoptic.json").is_file()
        assert (folder / "val" / "panoptic.json").is_file()
        folders.add(folder)
    splits = [(place, split, area) for place, area in (("a", 25), ("a", 9), ("b", 9)) for split in ("train", "val")]
    assert sorted(imports) == sorted(splits)
    assert len(folders) == 3


@pytest.mark.parametrize("name", ["bsds500", "coco_panoptic"])
def test_data_root_is_asked_for(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        prepare(DataConfig(format=name))
    assert str(caught.value) == f"data.format={name} needs data.root=FOLDER (make: DATA=FOLDER)"
    gone = tmp_path / "gone"
    with pytest.raises(DataError) as caught:
        prepare(DataConfig(format=name, root=str(gone)))
    assert str(caught.value) == f"data.root={gone}: no such folder"
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="no such folder"):
        prepare(DataConfig(format=name, root=str(tmp_path / "file")))
