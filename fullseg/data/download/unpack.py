"""Unpacks an archive of COCO so that its files appear only when all of them are there and right."""

import os
import shutil
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from rich.filesize import decimal
from rich.progress import Progress

from fullseg.data.download.archives import Archive
from fullseg.errors import DataError

CHUNK = 1 << 20  # bytes
BLOCK = 4096  # bytes, that a file fills at least
BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)  # what zipfile raises
COUNTED = 1 << 16  # files that a zip's old header counts to: some programs unpack the number modulo this


def staging_of(archive: Archive, root: Path) -> Path:
    """Return the hidden folder that an archive is unpacked in: there after the end, it was interrupted."""
    # Where the files go in the end, which may be a link to another disk.
    return (root / "annotations" if archive.top == "annotations" else root) / f".{archive.name}.unpacking"


def problem_of(output: tuple[str, int], root: Path) -> str | None:
    """Return what is wrong with a file or folder that an archive brings, None if nothing is; not: if it is missing."""
    path, expected = root / output[0], output[1]
    if not path.exists() or (expected == 0 and path.is_file()):
        return None
    if expected == 0 or not path.is_dir():
        return f"{path} is not a {'folder' if expected else 'file'}"
    with os.scandir(path) as entries:
        found = sum(not entry.name.startswith(".") for entry in entries)
    if found == expected:
        return None
    hint = f" (the program that unpacked it counts modulo {COUNTED})" if found == expected % COUNTED else ""
    return f"{path} holds {found} files instead of {expected}{hint}"


def unpack(file: Path, archive: Archive, root: Path, progress: Progress) -> None:
    """Unpack an archive and the zips inside of it, checking the CRC of every member.

    Outputs that are there already are left alone.

    Args:
        file: the zip.
        archive: what it is.
        root: folder of the data set.
        progress: gets a line for every zip.

    Raises:
        DataError: if the zip is damaged or is another one, or if the disk is too small. Nothing has appeared then.
    """
    staging = staging_of(archive, root)
    staging.mkdir(parents=True)
    try:
        _extract(file, archive.top, staging, progress, outer=file)
        for inner in sorted(staging.rglob("*.zip")):  # COCO's panoptic png
            _extract(inner, inner.stem, inner.parent, progress, outer=file)
            inner.unlink()
        for output in archive.outputs:
            wrong = problem_of(output, staging)
            if wrong or not (staging / output[0]).exists():
                raise DataError(f"{file}: {wrong or f'no {output[0]} in it'}; {_again(file)}")
        _place(staging, archive, root)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _extract(file: Path, top: str, into: Path, progress: Progress, *, outer: Path) -> None:
    shown = str(file) if file == outer else f"{file.name} in {outer}"
    task = progress.add_task(f"{file.name}: unpacking", total=file.stat().st_size)
    try:
        with zipfile.ZipFile(file) as opened:
            members = _members(opened, top, shown)
            _check_disk(members, into, shown)
            for member in members:
                target = into / member.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(member) as source, target.open("wb") as copy:
                    shutil.copyfileobj(source, copy, CHUNK)  # checks the CRC when it comes to the end
                progress.advance(task, member.compress_size)
            progress.update(task, completed=file.stat().st_size)
    except BROKEN_ZIP as error:
        raise DataError(f"{shown} is damaged ({error}); {_again(outer)}") from error


def _members(opened: zipfile.ZipFile, top: str, shown: str) -> list[zipfile.ZipInfo]:
    members = []
    for member in opened.infolist():
        parts = PurePosixPath(member.filename.replace("\\", "/")).parts
        if not parts or ".." in parts or member.filename.startswith("/"):
            raise DataError(f"{shown}: refused, for its member {member.filename!r} would lie outside of the folder")
        if member.is_dir() or parts[0] == "__MACOSX" or parts[-1] == ".DS_Store":
            continue
        if parts[0] != top:
            raise DataError(f"{shown}: holds {member.filename!r}, but COCO's has only {top}/; put COCO's there")
        members.append(member)
    return members


def _check_disk(members: list[zipfile.ZipInfo], into: Path, shown: str) -> None:
    needed = sum(member.file_size + BLOCK for member in members)
    free = shutil.disk_usage(into).free
    if free < needed:
        raise DataError(f"{into}: {shown} unpacks to {decimal(needed)}, but {decimal(free)} are free; make room there")


def _place(staging: Path, archive: Archive, root: Path) -> None:
    # Folders first: the reader looks for the json, and takes the rest for there.
    found = sorted((staging / "annotations").iterdir()) if archive.top == "annotations" else [staging / archive.top]
    for path in sorted(found, key=Path.is_file):
        target = root / path.relative_to(staging)
        if not target.exists():
            path.rename(target)


def _again(file: Path) -> str:
    return f"remove it and run the same command again, which fetches it anew (rm {file})"
