"""The download of COCO: what is fetched, checked, unpacked and continued, from servers that misbehave."""

import hashlib
import http.server
import io
import json
import shutil
import struct
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from fullseg.__main__ import main
from fullseg.config.parts import Parts
from fullseg.data.coco_panoptic import CocoPanoptic
from fullseg.data.download import coco as coco_download
from fullseg.data.download import http as downloads
from fullseg.data.download import unpack as coco_unpack
from fullseg.data.download.archives import PARTS, Archive, archives_of
from fullseg.data.download.coco import download_coco
from fullseg.data.scenes import write_scenes
from fullseg.errors import ConfigError, DataError

COUNTS = {"train": 3, "val": 2}


class Web:
    """A server of files on this machine that can misbehave as real ones do."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.requests: list[tuple[str, str, str | None]] = []  # method, path, Range
        self.sent = 0  # bytes of bodies
        self.drop_after: list[int] = []  # bytes of the next answers, after which the connection ends
        self.knows_ranges = self.knows_if_range = True
        self.etags: dict[str, str] = {}

    def etag(self, path: str) -> str:
        return self.etags.get(path, f'"{hashlib.md5(self.files[path]).hexdigest()}"')

    def gets(self) -> list[tuple[str, str | None]]:
        return [(path.rsplit("/", 1)[-1], part) for method, path, part in self.requests if method == "GET"]


def _handler(web: Web) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            part = self.headers["Range"]
            web.requests.append((self.command, self.path, part))
            if self.path not in web.files:
                self.send_error(404)
                return
            content, start = web.files[self.path], 0
            same = not web.knows_if_range or self.headers["If-Range"] == web.etag(self.path)
            if part and web.knows_ranges and same:
                start = int(part.removeprefix("bytes=").rstrip("-"))
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(len(content) - start))
            self.send_header("ETag", web.etag(self.path))
            self.end_headers()
            if body:
                answer = content[start:][: web.drop_after.pop(0) if web.drop_after else None]
                self.wfile.write(answer)
                web.sent += len(answer)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


class Coco(NamedTuple):
    """A small COCO on a server."""

    web: Web
    url: str
    archives: list[Archive]  # images of train, images of val, annotations
    contents: dict[str, bytes]


def _zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    return buffer.getvalue()


def _archive(path: str, content: bytes, *outputs: tuple[str, int]) -> Archive:
    return Archive(path, len(content), hashlib.sha256(content).hexdigest(), 3 * len(content), outputs)


def visible(folder: Path) -> list[str]:
    """Return the names in a folder, but not the lock file's."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


@pytest.fixture(scope="module")
def zips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, tuple[tuple[str, int], ...]]]:
    """Return archives shaped like COCO's, of scenes, and what they unpack to."""
    scenes = tmp_path_factory.mktemp("scenes")
    write_scenes(scenes, **COUNTS, seed=3)
    found, annotations = {}, {}
    for split, count in COUNTS.items():
        images = {f"{split}2017/{path.name}": path.read_bytes() for path in (scenes / split / "images").iterdir()}
        found[f"zips/{split}2017.zip"] = _zip(images), ((f"{split}2017", count),)
        name = f"panoptic_{split}2017"
        pngs = {f"{name}/{path.name}": path.read_bytes() for path in (scenes / split / "panoptic").iterdir()}
        annotations[f"annotations/{name}.json"] = (scenes / split / "panoptic.json").read_bytes()
        annotations[f"annotations/{name}.zip"] = _zip({**pngs, f"__MACOSX/{name}/._x.png": b"no image"})
    folders = tuple((f"annotations/panoptic_{split}2017", count) for split, count in COUNTS.items())
    jsons = tuple((f"{folder}.json", 0) for folder, _ in folders)
    found["annotations/panoptic_annotations_trainval2017.zip"] = _zip(annotations), folders + jsons
    return found


@pytest.fixture
def coco(zips: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Coco]:
    monkeypatch.setattr(downloads, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(downloads, "CHUNK", 10_000)
    web = Web()
    web.files = {f"/{path}": content for path, (content, _) in zips.items()}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(web))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    archives = [_archive(path, content, *outputs) for path, (content, outputs) in zips.items()]
    contents = {path.rsplit("/", 1)[-1]: content for path, (content, _) in zips.items()}
    yield Coco(web, f"http://127.0.0.1:{server.server_port}", archives, contents)
    server.shutdown()
    server.server_close()
    thread.join()


def _files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def _changed(archive: Archive, content: bytes) -> Archive:
    """Return the archive with other content, whose hash nobody has published."""
    return archive._replace(size=len(content), sha256="")


def test_what_is_downloaded_is_what_the_reader_takes(
    coco: Coco, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lines = download_coco(tmp_path, coco.archives, mirror=coco.url + "/")

    for split, count in COUNTS.items():
        options: dict[str, Any] = {
            "annotators": "all",
            "fraction": Parts(1, 1, 1),
            "max_regions": 99,
            "skip_bad": False,
        }
        partitions = CocoPanoptic(tmp_path, split, cache=tmp_path_factory.mktemp("cache"), **options)
        assert len(partitions) == count
        assert all(np.unique(partition.region_map).size > 1 for partition in partitions)  # type: ignore[attr-defined]
    assert lines == [f"{archive.name}: unpacked" for archive in coco.archives]
    assert visible(tmp_path) == ["annotations", "coco.json", "train2017", "val2017"]
    assert visible(tmp_path / "annotations") == [
        "panoptic_train2017",
        "panoptic_train2017.json",
        "panoptic_val2017",
        "panoptic_val2017.json",
    ]
    entry = json.loads((tmp_path / "coco.json").read_text())["archives"]["train2017.zip"]
    assert entry["sha256"] == hashlib.sha256(coco.contents["train2017.zip"]).hexdigest()
    assert entry["size"] == len(coco.contents["train2017.zip"])
    assert entry["source"] == f"{coco.url}/zips/train2017.zip"


def test_a_second_call_asks_for_nothing_and_is_quick(
    coco: Coco, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    download_coco(tmp_path, coco.archives, mirror=coco.url)
    before, coco.web.requests = _files(tmp_path), []
    monkeypatch.setattr(coco_download, "find_mismatch", None)  # which would count 123287 files, twice
    start = time.perf_counter()

    lines = download_coco(tmp_path, coco.archives, mirror=coco.url)

    assert time.perf_counter() - start < 0.1
    assert coco.web.requests == []
    assert _files(tmp_path) == before
    assert lines[0] == "train2017.zip: there already"


def test_a_dropped_connection_goes_on_at_the_byte_where_it_ended(coco: Coco, tmp_path: Path) -> None:
    coco.web.drop_after = [30_001, 5_002]

    download_coco(tmp_path, coco.archives[:1], mirror=coco.url)

    ranges = [part for _, part in coco.web.gets()]
    assert ranges == [None, "bytes=30001-", "bytes=35003-"]
    assert coco.web.sent == len(coco.contents["train2017.zip"])  # no byte twice
    assert len(list((tmp_path / "train2017").iterdir())) == COUNTS["train"]


def test_a_connection_that_brings_nothing_is_given_up(coco: Coco, tmp_path: Path) -> None:
    coco.web.drop_after = [20_000] + [0] * 99

    with pytest.raises(DataError, match=r"train2017.zip cannot be downloaded .*20000 of \d+ bytes, 7 times in a row"):
        download_coco(tmp_path, coco.archives[:1], mirror=coco.url)

    assert (tmp_path / "train2017.zip.partial").stat().st_size == 20_000


def _stop_after(monkeypatch: pytest.MonkeyPatch, calls: int, target: Any, name: str) -> None:
    """Press Ctrl-C at some call of a function."""
    real, left = getattr(target, name), [calls]

    def pressed(*arguments: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(target, name, pressed)


def _interrupted(coco: Coco, root: Path) -> int:
    """Press Ctrl-C during the first download; return the bytes that are there then."""
    with pytest.MonkeyPatch.context() as patch:
        _stop_after(patch, 2, downloads.HTTPResponse, "read1")
        with pytest.raises(
            KeyboardInterrupt, match=r"^Stopped. What was downloaded stays in .*\. The same command continues"
        ):
            download_coco(root, coco.archives[:1], mirror=coco.url)
    assert visible(root) == ["train2017.zip.partial", "train2017.zip.partial.json"]
    coco.web.requests.clear()
    return (root / "train2017.zip.partial").stat().st_size


def test_ctrl_c_leaves_a_part_and_the_same_command_goes_on(coco: Coco, tmp_path: Path) -> None:
    done = _interrupted(coco, tmp_path)
    assert 0 < done < len(coco.contents["train2017.zip"])

    download_coco(tmp_path, coco.archives[:1], mirror=coco.url)

    assert coco.web.gets() == [("train2017.zip", f"bytes={done}-")]
    assert len(list((tmp_path / "train2017").iterdir())) == COUNTS["train"]


@pytest.mark.parametrize(
    ("misbehaviour", "ranges"),
    [({}, 1), ({"knows_if_range": False}, 2), ({"knows_ranges": False}, 1)],
    ids=["If-Range", "no If-Range", "no Range"],
)
def test_a_file_that_changed_meanwhile_is_fetched_anew(
    coco: Coco, tmp_path: Path, misbehaviour: dict[str, bool], ranges: int
) -> None:
    done = _interrupted(coco, tmp_path)
    members = {f"train2017/{k}.jpg": bytes([k]) * 40_000 for k in range(3)}
    content = _zip(members)
    coco.web.files["/zips/train2017.zip"] = content
    vars(coco.web).update(misbehaviour)

    download_coco(tmp_path, [_changed(coco.archives[0], content)], mirror=coco.url)

    assert [part for _, part in coco.web.gets()] == [f"bytes={done}-", None][:ranges]
    assert {name: data for name, data in _files(tmp_path).items() if name not in ("coco.json", ".coco.lock")} == members


def test_an_archive_put_by_hand_is_used_without_a_request(coco: Coco, tmp_path: Path) -> None:
    for name, content in coco.contents.items():
        (tmp_path / name).write_bytes(content)

    download_coco(tmp_path, coco.archives, mirror="http://127.0.0.1:1")

    assert (tmp_path / "annotations" / "panoptic_val2017").is_dir()
    assert not list(tmp_path.glob("*.zip"))
    assert (
        json.loads((tmp_path / "coco.json").read_text())["archives"]["val2017.zip"]["source"] == "found in the folder"
    )


def test_folders_unpacked_by_hand_are_used_if_they_are_complete(coco: Coco, tmp_path: Path) -> None:
    for content in list(coco.contents.values())[:2]:
        zipfile.ZipFile(io.BytesIO(content)).extractall(tmp_path)
    assert download_coco(tmp_path, coco.archives[:2], mirror="http://127.0.0.1:1")[0] == "train2017.zip: there already"

    next((tmp_path / "train2017").iterdir()).unlink()
    with pytest.raises(DataError, match=r"train2017 holds 2 files instead of 3: complete it, or remove it .*rm -r "):
        download_coco(tmp_path, coco.archives[:2], mirror=coco.url)


def test_a_known_hash_must_be_that_of_the_archive(coco: Coco, tmp_path: Path) -> None:
    wrong = coco.archives[0]._replace(sha256="ab" * 32)

    with pytest.raises(DataError) as caught:
        download_coco(tmp_path, [wrong], mirror=coco.url)

    for text in ("train2017.zip.partial has sha256", coco.archives[0].sha256, "ab" * 32, "rm ", "--expect"):
        assert text in str(caught.value)
    assert not (tmp_path / "train2017").exists()


def test_a_manifest_of_another_machine_is_what_archives_are_compared_to(coco: Coco, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    download_coco(there, coco.archives, mirror=coco.url)
    manifest = there / "coco.json"
    unknown = [archive._replace(sha256="") for archive in coco.archives]
    download_coco(here, unknown[1:2], mirror=coco.url, expect=manifest)  # the same, so it goes through

    content = json.loads(manifest.read_text())
    for name in ("val2017.zip", "train2017.zip"):
        content["archives"][name]["sha256"] = "cd" * 32
    manifest.write_text(json.dumps(content))

    match = f"train2017.zip.partial has sha256 {coco.archives[0].sha256}, but {manifest} has {'cd' * 32}; remove it"
    with pytest.raises(DataError, match=match):
        download_coco(here, unknown[:1], mirror=coco.url, expect=manifest)
    match = f"val2017.zip was unpacked here from a file with sha256 {coco.archives[1].sha256} .*{'cd' * 32}"
    with pytest.raises(DataError, match=match):
        download_coco(here, unknown[1:2], mirror=coco.url, expect=manifest)


def test_the_hash_of_an_earlier_download_is_remembered(coco: Coco, tmp_path: Path) -> None:
    unknown = coco.archives[1]._replace(sha256="")
    download_coco(tmp_path, [unknown], mirror=coco.url)
    shutil.rmtree(tmp_path / "val2017")
    damaged = bytearray(coco.contents["val2017.zip"])
    damaged[1000] ^= 1
    coco.web.files["/zips/val2017.zip"] = bytes(damaged)

    with pytest.raises(DataError, match=f"but {tmp_path / 'coco.json'} has {coco.archives[1].sha256}"):
        download_coco(tmp_path, [unknown], mirror=coco.url)


def test_an_etag_that_is_an_md5_is_checked(coco: Coco, tmp_path: Path) -> None:
    unknown = coco.archives[1]._replace(sha256="")
    coco.web.etags["/zips/val2017.zip"] = f'"{"0" * 31}1"'

    with pytest.raises(DataError, match=rf"has MD5 [0-9a-f]{{32}}, but the server says {'0' * 31}1"):
        download_coco(tmp_path, [unknown], mirror=coco.url)

    for etag in (f'"{"0" * 31}1-98"', '"0a1"', f'"{"x" * 32}"'):  # of several parts, of other servers
        coco.web.etags["/zips/val2017.zip"] = etag
        shutil.rmtree(tmp_path)
        download_coco(tmp_path, [unknown], mirror=coco.url)


def test_a_server_with_a_file_of_another_size_is_refused_before_the_download(coco: Coco, tmp_path: Path) -> None:
    coco.web.files["/zips/val2017.zip"] += b"more"

    with pytest.raises(
        DataError, match=r"val2017.zip has \d+ bytes, but the published archive has \d+; use another --mirror"
    ):
        download_coco(tmp_path, coco.archives[:2], mirror=coco.url)

    assert coco.web.gets() == []


def test_a_truncated_archive_is_refused_by_its_size(coco: Coco, tmp_path: Path) -> None:
    (tmp_path / "val2017.zip").write_bytes(coco.contents["val2017.zip"][:-10])
    with pytest.raises(DataError, match=r"val2017.zip has \d+ bytes, but the published archive has \d+; remove it"):
        download_coco(tmp_path, coco.archives[1:2], mirror=coco.url)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "another", "fewer"])
def test_a_damaged_zip_leaves_nothing_under_a_final_name(coco: Coco, tmp_path: Path, damage: str) -> None:
    content = bytearray(coco.contents["val2017.zip"])
    if damage == "truncated":
        del content[-10:]
    elif damage == "flipped":
        content[len(content) // 2] ^= 1
    elif damage == "fewer":
        content = bytearray(_zip({"val2017/a.jpg": b"a"}))
    message = {
        "truncated": "val2017.zip is damaged .*remove it",
        "flipped": "val2017.zip is damaged .*CRC.*remove it",
        "another": "val2017.zip: has a member 'train2017/.*', but COCO's archive has only val2017/",
        "fewer": "val2017 holds 1 files instead of 2; remove it",
    }[damage]
    if damage == "another":
        content = bytearray(coco.contents["train2017.zip"])
    (tmp_path / "val2017.zip").write_bytes(content)

    with pytest.raises(DataError, match=message):
        download_coco(tmp_path, [_changed(coco.archives[1], content)], mirror=coco.url)

    assert visible(tmp_path) == ["coco.json", "val2017.zip"]


@pytest.mark.parametrize("name", ["val2017/../../evil", "/evil", "..\\evil"])
def test_a_member_outside_of_the_folder_is_refused(coco: Coco, tmp_path: Path, name: str) -> None:
    content = _zip({"val2017/a.jpg": b"a", name: b"evil"})
    root = tmp_path / "root"
    root.mkdir()
    (root / "val2017.zip").write_bytes(content)

    with pytest.raises(DataError, match=r"val2017.zip: refused, because its member .*evil.* outside"):
        download_coco(root, [_changed(coco.archives[1], content)], mirror=coco.url)

    assert list(tmp_path.rglob("*evil*")) == []


def test_an_interrupted_unpacking_is_repeated(coco: Coco, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        _stop_after(patch, 1, coco_unpack.shutil, "copyfileobj")
        with pytest.raises(KeyboardInterrupt):
            download_coco(tmp_path, coco.archives[:1], mirror=coco.url)
    assert visible(tmp_path) == ["coco.json", "train2017.zip"]
    left = tmp_path / ".train2017.zip.unpacking" / "train2017" / "left_by_a_kill.jpg"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    coco.web.requests.clear()

    download_coco(tmp_path, coco.archives[:1], mirror=coco.url)

    assert coco.web.requests == []
    source = json.loads((tmp_path / "coco.json").read_text())["archives"]["train2017.zip"]["source"]
    assert source == f"{coco.url}/zips/train2017.zip"  # not the folder, where it was found this time
    assert sorted(path.name for path in (tmp_path / "train2017").iterdir()) == [f"train_{k:05d}.png" for k in range(3)]
    assert visible(tmp_path) == ["coco.json", "train2017"]


def test_what_was_placed_before_a_kill_is_kept(coco: Coco, tmp_path: Path) -> None:
    zipfile.ZipFile(io.BytesIO(coco.contents["panoptic_annotations_trainval2017.zip"])).extractall(tmp_path)
    inner = tmp_path / "annotations" / "panoptic_val2017.zip"
    zipfile.ZipFile(inner).extractall(tmp_path / "annotations")
    for path in (tmp_path / "annotations").iterdir():
        if path.name != "panoptic_val2017":
            path.unlink() if path.is_file() else shutil.rmtree(path)

    download_coco(tmp_path, coco.archives[2:], mirror=coco.url)

    assert len(list((tmp_path / "annotations" / "panoptic_val2017").iterdir())) == COUNTS["val"]
    assert len(list((tmp_path / "annotations" / "panoptic_train2017").iterdir())) == COUNTS["train"]


def test_a_zip_whose_header_counts_modulo_65536_is_unpacked_whole(coco: Coco, tmp_path: Path) -> None:
    # COCO's panoptic_train2017.zip, with its 118287 files, says 52751: programs that believe it stop there.
    content = bytearray(coco.contents["val2017.zip"])
    end = content.rindex(b"PK\5\6")
    content[end + 8 : end + 12] = struct.pack("<HH", 1, 1)
    (tmp_path / "val2017.zip").write_bytes(content)

    download_coco(tmp_path, [_changed(coco.archives[1], content)], mirror=coco.url)

    assert len(list((tmp_path / "val2017").iterdir())) == COUNTS["val"]


def _free(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(coco_download.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**12, 0, free))  # type: ignore[attr-defined]


def test_too_little_disk_is_said_before_any_request(
    coco: Coco, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table2 = archives_of(["panoptic2017"])
    peak = 19_336_861_798 + 19_800_000_000  # the largest comes first, so the others fit in what its zip leaves
    _free(monkeypatch, peak - 1)
    with pytest.raises(
        DataError, match=r"39.1 GB are free on this disk, but 39.1 GB are needed .*\(23.2 GB stay in the end\)"
    ):
        download_coco(tmp_path, table2, mirror=coco.url)
    assert coco.web.requests == []

    _free(monkeypatch, peak)
    with pytest.raises(DataError, match="cannot be downloaded"):  # of these names, the server has other files
        download_coco(tmp_path, table2[:1], mirror=coco.url + "/nothing")


def test_the_peak_counts_what_was_unpacked_before(coco: Coco, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (len(coco.contents[archive.name]) for archive in coco.archives[:2])
    peak = max(4 * first, 3 * first + 4 * second)
    assert peak > 4 * first
    _free(monkeypatch, peak - 1)
    with pytest.raises(DataError, match="are needed at most"):
        download_coco(tmp_path, coco.archives[:2], mirror=coco.url)
    _free(monkeypatch, peak)
    download_coco(tmp_path, coco.archives[:2], mirror=coco.url)


def test_what_is_there_in_part_needs_no_disk_again(coco: Coco, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = _interrupted(coco, tmp_path)
    needed = 4 * len(coco.contents["train2017.zip"]) - done
    _free(monkeypatch, needed - 1)
    with pytest.raises(DataError, match="are needed at most"):
        download_coco(tmp_path, coco.archives[:1], mirror=coco.url)
    _free(monkeypatch, needed)
    download_coco(tmp_path, coco.archives[:1], mirror=coco.url)


def test_without_network_it_says_what_to_put_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _free(monkeypatch, 10**12)
    start = time.perf_counter()

    status = main(["data", "coco", "--root", str(tmp_path), "--mirror", "http://127.0.0.1:1"])

    assert time.perf_counter() - start < 5
    assert status == 2
    error = capsys.readouterr().err
    for archive in PARTS["panoptic2017"]:
        assert f"http://127.0.0.1:1/{archive.path}  (" in error
        assert f"to {tmp_path / archive.name}\n" in error
    assert f"  {tmp_path}/annotations/panoptic_train2017/  (118287 files)\n" in error
    assert f"  {tmp_path}/annotations/panoptic_train2017.json\n" in error
    assert visible(tmp_path) == []


def test_a_network_that_swallows_everything_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "ANSWER_SECONDS", 0.2)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as deaf:  # never served
        start = time.perf_counter()
        with pytest.raises(TimeoutError, match=r"no answer within 0.2 s"):
            downloads.remote_size(f"http://127.0.0.1:{deaf.server_port}/x.zip")
    assert time.perf_counter() - start < 2


def test_two_processes_do_not_download_to_one_folder(coco: Coco, tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from fullseg.data.download.coco import _only_process\n"
        "with _only_process(Path(sys.argv[1])): print(flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(DataError, match="another process downloads COCO there; wait until it is done"):
            download_coco(tmp_path, coco.archives, mirror=coco.url)
    finally:
        other.kill()
        other.communicate()
    download_coco(tmp_path, coco.archives, mirror=coco.url)  # a killed process holds no lock


def test_the_command_says_where_the_data_is(
    coco: Coco, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PARTS, "panoptic2017", tuple(coco.archives))

    assert main(["data", "coco", "--root", str(tmp_path), "--mirror", coco.url]) == 0

    said = capsys.readouterr().out
    assert "train2017.zip: unpacked\n" in said
    assert f"data.root={tmp_path}" in said


def test_the_mirror_must_be_an_address(coco: Coco, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--mirror /data/zips: write http"):
        download_coco(tmp_path, coco.archives, mirror="/data/zips")
