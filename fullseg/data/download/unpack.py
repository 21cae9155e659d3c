"""Unpacks an archive of COCO. Its files appear when all of them are complete and checked."""

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
BLOCK = 4096  # bytes: a file takes up to this much more on the disk
BROKEN_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
)  # what zipfile raises for broken files
COUNTED = 1 << 16  # a zip's old header counts files modulo this number, and some programs unpack only so many


def staging_of(archive: Archive, root: Path) -> Path:
    """Return the hidden folder in which an archive is unpacked. If it exists, an earlier run was interrupted."""
    # On the disk where the files go in the end: annotations/ may be a link to another disk.
    return (root / "annotations" if archive.top == "annotations" else root) / f".{archive.name}.unpacking"


def find_mismatch(output: tuple[str, int], root: Path) -> str | None:
    """Compare a file or folder with what an archive unpacks to.

    Args:
        output: path below ``root``, and the number of files in it (0: it is a file itself).
        root: folder to look in.

    Returns:
        What is wrong with it; None if it is right, or missing.
    """
    path, expected = root / output[0], output[1]
    if not path.exists() or (expected == 0 and path.is_file()):
        return None
    if expected == 0 or not path.is_dir():
        return f"{path} is not a {'folder' if expected else 'file'}"
    with os.scandir(path) as entries:
        found = sum(not entry.name.startswith(".") for entry in entries)
    if found == expected:
        return None
    hint = f" (the program that unpacked it counts files modulo {COUNTED})" if found == expected % COUNTED else ""
    return f"{path} holds {found} files instead of {expected}{hint}"


def unpack(file: Path, archive: Archive, root: Path, progress: Progress) -> None:
    """Unpack an archive and the zips inside it, and check the CRC of every member.

    Files and folders that exist already stay as they are.

    Args:
        file: the zip.
        archive: which archive it is.
        root: folder of the data set.
        progress: gets one bar per zip.

    Raises:
        DataError: if the zip is damaged, if it is not this archive, or if the disk is too small. Then nothing appears.
    """
    staging = staging_of(archive, root)
    staging.mkdir(parents=True)
    try:
        _extract(file, archive.top, staging, progress, outer=file)
        for inner in sorted(staging.rglob("*.zip")):  # COCO's panoptic png
            _extract(inner, inner.stem, inner.parent, progress, outer=file)
            inner.unlink()
        for output in archive.outputs:
            wrong = find_mismatch(output, staging)
            if wrong or not (staging / output[0]).exists():
                raise DataError(f"{file}: {wrong or f'it has no {output[0]}'}; {_again(file)}")
        _place(staging, archive, root)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _extract(file: Path, top: str, into: Path, progress: Progress, *, outer: Path) -> None:
    title = str(file) if file == outer else f"{file.name} in {outer}"
    task = progress.add_task(f"{file.name}: unpacking", total=file.stat().st_size)
    try:
        with zipfile.ZipFile(file) as opened:
            members = _members(opened, top, title)
            _check_disk(members, into, title)
            for member in members:
                target = into / member.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(member) as source, target.open("wb") as copy:
                    shutil.copyfileobj(source, copy, CHUNK)  # this checks the CRC at the end of the file
                progress.advance(task, member.compress_size)
            progress.update(task, completed=file.stat().st_size)
    except BROKEN_ZIP as error:
        raise DataError(f"{title} is damaged ({error}); {_again(outer)}") from error


def _members(opened: zipfile.ZipFile, top: str, title: str) -> list[zipfile.ZipInfo]:
    members = []
    for member in opened.infolist():
        parts = PurePosixPath(member.filename.replace("\\", "/")).parts
        if not parts or ".." in parts or member.filename.startswith("/"):
            raise DataError(f"{title}: refused, because its member {member.filename!r} would lie outside the folder")
        if member.is_dir() or parts[0] == "__MACOSX" or parts[-1] == ".DS_Store":
            continue
        if parts[0] != top:
            raise DataError(
                f"{title}: has a member {member.filename!r}, but COCO's archive has only {top}/; use COCO's archive"
            )
        members.append(member)
    return members


def _check_disk(members: list[zipfile.ZipInfo], into: Path, title: str) -> None:
    needed = sum(member.file_size + BLOCK for member in members)
    free = shutil.disk_usage(into).free
    if free < needed:
        raise DataError(
            f"{into}: {title} unpacks to {decimal(needed)}, but only {decimal(free)} are free; make room there"
        )


def _place(staging: Path, archive: Archive, root: Path) -> None:
    # Folders first: the reader looks for the JSON and then expects the folders.
    found = sorted((staging / "annotations").iterdir()) if archive.top == "annotations" else [staging / archive.top]
    for path in sorted(found, key=Path.is_file):
        target = root / path.relative_to(staging)
        if not target.exists():
            path.rename(target)


def _again(file: Path) -> str:
    return f"remove it and run the same command again, which downloads it again (rm {file})"
