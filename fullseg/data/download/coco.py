"""Downloads COCO, checks it and unpacks it (``fullseg data coco``)."""

import contextlib
import hashlib
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.error import HTTPError

from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from fullseg.data.download.archives import SERVER, Archive
from fullseg.data.download.http import download, note_path, remote_size
from fullseg.data.download.manifest import Manifest
from fullseg.data.download.unpack import find_mismatch, staging_of, unpack
from fullseg.errors import ConfigError, DataError
from fullseg.formats.locks import locked

CHUNK = 1 << 22  # bytes
OTHER_ADDRESS = "https://s3.amazonaws.com/images.cocodataset.org"  # another server with the same files


def download_coco(
    root: Path, archives: Sequence[Archive], *, mirror: str | None = None, expect: Path | None = None
) -> list[str]:
    """Download the archives whose files are missing, check them, and unpack them in ``root``.

    Archives whose files are there need no request. A zip that lies in ``root`` is used instead of a download. Every zip
    is removed when it is unpacked.

    Args:
        root: folder of the data set.
        archives: to download, in this order.
        mirror: address of a server with COCO's ``zips/`` and ``annotations/``; None: COCO's own server.
        expect: ``coco.json`` of another machine, or None. Its sizes and hashes replace those known here.

    Returns:
        One line per archive, for the user.

    Raises:
        ConfigError: if ``mirror`` is no address.
        DataError: if the disk is too small, if the server cannot be reached, if a file is not what it should be, or if
            another process downloads to ``root``.
        KeyboardInterrupt: after Ctrl-C, with a message that says how to continue.
    """
    if mirror and not mirror.startswith(("http://", "https://")):
        remedy = f"write http://... or https://...; for a folder, link its zips into {root}"
        raise ConfigError(f"--mirror {mirror}: {remedy}")
    root.mkdir(parents=True, exist_ok=True)
    server = (mirror or SERVER).rstrip("/")
    with _only_process(root):
        manifest = Manifest(root, archives, expect)
        missing = [archive for archive in archives if not _is_there(archive, root, manifest)]
        _check_disk(root, {archive: archive.size for archive in missing})
        _check_disk(root, _sizes_at(server, root, missing, manifest))
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, TimeRemainingColumn()) as progress:
            for archive in missing:
                _download_and_unpack(archive, root, f"{server}/{archive.path}", manifest, progress)
    return [f"{archive.name}: {'unpacked' if archive in missing else 'there already'}" for archive in archives]


@contextlib.contextmanager
def _only_process(root: Path) -> Iterator[None]:
    try:
        with locked(root / ".coco.lock", f"{root}: another process downloads COCO there", wait=False):
            yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"Stopped. What was downloaded stays in {root}. The same command continues.") from None


def _is_there(archive: Archive, root: Path, manifest: Manifest) -> bool:
    """Return whether all files of an archive are there; raise DataError if a folder is incomplete."""
    exist = all((root / path).exists() for path, _ in archive.outputs)
    if exist and manifest.is_unpacked(archive):  # a folder appears only when it is complete
        return True
    for output in archive.outputs:
        if wrong := find_mismatch(output, root):
            remedy = f"complete it, or remove it and run the same command again (rm -r {root / output[0]})"
            raise DataError(f"{wrong}: {remedy}")
    if not exist:
        shutil.rmtree(staging_of(archive, root), ignore_errors=True)  # left by an interrupted run
    return exist


def _check_disk(root: Path, sizes: dict[Archive, int]) -> None:
    """Raise DataError if a disk has too little space.

    Args:
        root: folder of the data set.
        sizes: of the archives that are to be downloaded, in bytes.
    """
    folders: dict[int, Path] = {}  # by file system
    stays: Counter[int] = Counter()  # bytes by file system: of the archives before, unpacked
    peak: Counter[int] = Counter()  # bytes by file system
    for archive, size in sizes.items():
        target = staging_of(archive, root).parent  # annotations/ may be a link to another disk
        target = target if target.exists() else root
        needed: Counter[int] = Counter()
        for folder, amount in ((root, _to_fetch(archive, root, size)), (target, archive.unpacked)):
            disk = folder.stat().st_dev
            folders.setdefault(disk, folder)
            needed[disk] += amount
        for disk, amount in needed.items():
            peak[disk] = max(peak[disk], stays[disk] + amount)
        stays[target.stat().st_dev] += archive.unpacked
    for disk, amount in peak.items():
        free = shutil.disk_usage(folders[disk]).free
        if free < amount:
            raise DataError(
                f"{folders[disk]}: {decimal(free)} are free on this disk, but {decimal(amount)} are needed at most, "
                f"while an archive and its unpacked files are both there ({decimal(stays[disk])} stay in the end); "
                f"make room for {decimal(amount - free)}, or choose another --root"
            )


def _to_fetch(archive: Archive, root: Path, size: int) -> int:
    if (root / archive.name).exists():
        return 0
    partial = _partial(archive, root)
    return max(size - (partial.stat().st_size if partial.exists() else 0), 0)


def _sizes_at(server: str, root: Path, missing: Sequence[Archive], manifest: Manifest) -> dict[Archive, int]:
    """Ask the server for the sizes of the archives that are not in ``root``.

    Returns:
        Size of every missing archive, in bytes.

    Raises:
        DataError: if the server does not answer, or if it has an archive of another size than expected.
    """
    sizes = {archive: archive.size for archive in missing}
    for archive in missing:
        if (root / archive.name).exists():
            continue
        url = f"{server}/{archive.path}"
        try:
            size = remote_size(url)
        except OSError as error:
            raise _unreachable(url, error, root, missing) from error
        expected = manifest.expected(archive)
        if size and expected and size != expected.size:
            remedy = "use another --mirror, or --expect the coco.json of a machine that has this one"
            raise DataError(f"{url} has {size} bytes, but {expected.source} has {expected.size}; {remedy}")
        sizes[archive] = size or archive.size
    return sizes


def _download_and_unpack(archive: Archive, root: Path, url: str, manifest: Manifest, progress: Progress) -> None:
    """Download an archive unless it lies in ``root``; check it, unpack it, remove it."""
    file, partial = root / archive.name, _partial(archive, root)
    if file.exists():
        _check(file, archive, None, "found in the folder", manifest, progress)
    else:
        task = progress.add_task(f"{archive.name}: download", total=archive.size)
        try:
            md5 = download(url, partial, lambda done, total: progress.update(task, completed=done, total=total))
        except (HTTPError, ConnectionError) as error:
            raise _unreachable(url, error, root, [archive]) from error
        _check(partial, archive, md5, url, manifest, progress)
        partial.rename(file)
        note_path(partial).unlink(missing_ok=True)
    unpack(file, archive, root, progress)
    file.unlink()
    manifest.record_unpacked(archive)


def _check(file: Path, archive: Archive, md5: str | None, source: str, manifest: Manifest, progress: Progress) -> None:
    """Check size and hash of an archive, and record them.

    Args:
        file: to check.
        archive: which archive it is.
        md5: of the file according to the server; None if unknown.
        source: where the file comes from.
        manifest: knows the expected size and hash.
        progress: gets a bar.

    Raises:
        DataError: if size or hash is not the expected one.
    """
    remedy = (
        f"remove it and run the same command again, which downloads it again (rm {file}), "
        "or --expect the coco.json of a machine that has this one"
    )
    size, expected = file.stat().st_size, manifest.expected(archive)
    if expected and size != expected.size:  # checked first, because a hash takes a minute
        raise DataError(f"{file} has {size} bytes, but {expected.source} has {expected.size}; {remedy}")
    found = _hashes(file, f"{archive.name}: check", progress)
    if expected and found["sha256"] != expected.sha256:
        raise DataError(f"{file} has sha256 {found['sha256']}, but {expected.source} has {expected.sha256}; {remedy}")
    if md5 and found["md5"] != md5:
        raise DataError(f"{file} has MD5 {found['md5']}, but the server says {md5} (its ETag); {remedy}")
    manifest.record(archive, size=size, sha256=found["sha256"], source=source)


def _hashes(file: Path, description: str, progress: Progress) -> dict[str, str]:
    hashers = {"sha256": hashlib.sha256(), "md5": hashlib.md5(usedforsecurity=False)}
    task = progress.add_task(description, total=file.stat().st_size)
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK):
            for hasher in hashers.values():
                hasher.update(chunk)
            progress.advance(task, len(chunk))
    return {name: hasher.hexdigest() for name, hasher in hashers.items()}


def _partial(archive: Archive, root: Path) -> Path:
    return root / f"{archive.name}.partial"


def _unreachable(url: str, error: OSError, root: Path, missing: Sequence[Archive]) -> DataError:
    server = url.rsplit("/", 2)[0]
    wanted = [archive for archive in missing if not (root / archive.name).exists()]
    files = "".join(
        f"\n  {server}/{archive.path}  ({decimal(archive.size)})\n    to {root / archive.name}" for archive in wanted
    )
    outputs = [(root / path, number) for archive in wanted for path, number in archive.outputs]
    folders = "".join(f"\n  {path}" + (f"/  ({number} files)" if number else "") for path, number in outputs)
    return DataError(
        f"{url} cannot be downloaded ({error}). If this machine has no network, download elsewhere{files}\n"
        f"and run the same command again, which checks and unpacks them. Or unpack them to{folders}\n"
        f"If it has one, set http_proxy if it needs a proxy, or try --mirror {OTHER_ADDRESS}"
    )
