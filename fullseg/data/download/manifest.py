"""``coco.json`` in the data set's folder: the archives it was unpacked from, for comparison with other machines."""

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
    """Size and hash that an archive must have."""

    size: int  # bytes
    sha256: str
    source: str  # of this information, for messages


class Manifest:
    """The archives by name: sha256, size in bytes, date and source of the download, date of the unpacking.

    Args:
        root: folder of the data set.
        archives: to be downloaded.
        expect: ``coco.json`` of another machine, or None. Its sizes and hashes replace those known here.

    Raises:
        DataError: if a manifest cannot be read, or if the two have different hashes for an archive that is unpacked.
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
                    f"{archive.name} was unpacked here from a file with sha256 {own['sha256']} ({self._path}), but "
                    f"{expect} has {other['sha256']}; to get that file, rm -r {folders} {self._path} and run again"
                )

    def expected(self, archive: Archive) -> Expected | None:
        """Return the size and hash that an archive must have; None if they are unknown."""
        for found, source in ((self._elsewhere, self._expect), (self._own, self._path)):
            if entry := found.get(archive.name):
                return Expected(entry["size"], entry["sha256"], str(source))
        return Expected(archive.size, archive.sha256, "the published archive") if archive.sha256 else None

    def is_unpacked(self, archive: Archive) -> bool:
        """Return whether an earlier download has unpacked it."""
        return "unpacked" in self._own.get(archive.name, {})

    def record(self, archive: Archive, *, size: int, sha256: str, source: str) -> None:
        """Record an archive that was checked. If it is recorded already, its date and source stay."""
        if self._own.get(archive.name, {}).get("sha256") != sha256:
            self._own[archive.name] = {"sha256": sha256, "size": size, "date": _now(), "source": source}
        self._write()

    def record_unpacked(self, archive: Archive) -> None:
        """Record that all its files are unpacked."""
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
            f"{path} is not a {NAME} of `fullseg data coco` ({error!r}); give another one, or remove it"
        ) from error
    checked: dict[str, dict[str, Any]] = archives
    return checked


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
