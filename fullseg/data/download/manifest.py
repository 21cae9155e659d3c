"""``coco.json`` in the data set's folder: which archives it was made of, to compare with later and elsewhere."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from fullseg.data.download.archives import Archive
from fullseg.errors import DataError
from fullseg.formats.atomic import write_json

NAME = "coco.json"


class Expected(NamedTuple):
    """What an archive has to be."""

    size: int  # bytes
    sha256: str
    source: str  # that says so


class Manifest:
    """Archives by name: sha256, size in bytes, when and where from, and when unpacked.

    Args:
        root: folder of the data set.
        archives: those in question.
        expect: another manifest, which wins against what is known here.

    Raises:
        DataError: if a manifest cannot be read, or if they name different hashes for an archive that is unpacked.
    """

    def __init__(self, root: Path, archives: Sequence[Archive], expect: Path | None) -> None:
        self._path, self._expect = root / NAME, expect
        self._own = _read(self._path) if self._path.exists() else {}
        self._elsewhere = _read(expect) if expect else {}
        for archive in archives:
            own, other = self._own.get(archive.name), self._elsewhere.get(archive.name)
            if own and other and self.is_unpacked(archive) and own["sha256"] != other["sha256"]:
                folders = " ".join(str(root / path) for path, _ in archive.outputs)
                raise DataError(
                    f"{archive.name} was unpacked here from one of sha256 {own['sha256']} ({self._path}), "
                    f"but {expect} has {other['sha256']}; to have that one, rm -r {folders} {self._path}, and run again"
                )

    def expected(self, archive: Archive) -> Expected | None:
        """Return what an archive has to be; None: nobody says."""
        for found, source in ((self._elsewhere, self._expect), (self._own, self._path)):
            if entry := found.get(archive.name):
                return Expected(entry["size"], entry["sha256"], str(source))
        return Expected(archive.size, archive.sha256, "the published one") if archive.sha256 else None

    def is_unpacked(self, archive: Archive) -> bool:
        """Return whether this command has unpacked it."""
        return "unpacked" in self._own.get(archive.name, {})

    def record(self, archive: Archive, *, size: int, sha256: str, source: str) -> None:
        """Note an archive that was checked; one that was before keeps where and when it came from."""
        if self._own.get(archive.name, {}).get("sha256") != sha256:
            self._own[archive.name] = {"sha256": sha256, "size": size, "date": _now(), "source": source}
        self._write()

    def record_unpacked(self, archive: Archive) -> None:
        """Note that its outputs are all there."""
        self._own[archive.name]["unpacked"] = _now()
        self._write()

    def _write(self) -> None:
        write_json(self._path, {"archives": self._own})


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        archives = json.loads(path.read_text(encoding="utf-8"))["archives"]
        for entry in archives.values():
            entry["sha256"], entry["size"] = str(entry["sha256"]), int(entry["size"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path} is not a {NAME} of this command ({error!r}); give one that is, or remove it"
        ) from error
    checked: dict[str, dict[str, Any]] = archives
    return checked


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
