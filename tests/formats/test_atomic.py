"""Files are there whole or not at all, also where several write at once."""

import errno
import json
import multiprocessing
from pathlib import Path

import pytest

from fullseg.errors import DataError
from fullseg.formats.atomic import remove_partial, replacing, write_json, write_text


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_text(path, "old")
    with pytest.raises(KeyboardInterrupt):
        _interrupted(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def _interrupted(path: Path) -> None:
    with replacing(path) as partial:
        partial.write_text("half of the n")
        raise KeyboardInterrupt


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing/a.json cannot be written: No such file or directory"):
        write_json(tmp_path / "missing" / "a.json", {})
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "a.json"):  # another file: a fault of the writer
        (tmp_path / "input.json").read_text()


def test_a_place_that_became_read_only_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "write_text", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)  # even for files that are not there
    with pytest.raises(DataError, match=r"a.json cannot be written: Read-only file system"):
        write_json(tmp_path / "a.json", {})


def test_files_that_differ_in_their_suffix_alone_do_not_meet(tmp_path: Path) -> None:
    with replacing(tmp_path / "a.json") as first, replacing(tmp_path / "a.csv") as second:
        first.write_text("{}")
        second.write_text("x,y")
    assert (tmp_path / "a.json").read_text() == "{}"
    assert (tmp_path / "a.csv").read_text() == "x,y"
    assert len(list(tmp_path.iterdir())) == 2


def test_the_longest_name_that_a_disk_takes_can_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / ("a" * 250 + ".json")
    write_json(path, {"a": [1, None]}, indent=None)
    assert path.read_text() == '{"a": [1, null]}'


def test_a_link_is_replaced_too(tmp_path: Path) -> None:
    for target in ("first", "second"):
        with replacing(tmp_path / "latest") as link:
            link.symlink_to(target)
    assert (tmp_path / "latest").readlink() == Path("second")


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    with pytest.raises(StopIteration), replacing(tmp_path / "b.ckpt") as partial:
        raise StopIteration
    partial.write_text("of a killed process")
    (tmp_path / "last.ckpt").write_text("whole")
    remove_partial(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]


def _write_many(path: Path, writer: int) -> None:
    for _ in range(50):
        write_json(path, {"writer": writer, "values": 2000 * [writer]})


def test_two_processes_may_replace_one_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "study.json"
    write_json(path, {"writer": 0, "values": 2000 * [0]})
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_many, args=(path, number)) for number in (1, 2)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        content = json.loads(path.read_text())
        assert set(content["values"]) == {content["writer"]}
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert list(tmp_path.iterdir()) == [path]
