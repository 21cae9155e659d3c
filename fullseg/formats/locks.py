"""Locks between processes."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from fullseg.errors import DataError

SILENT_SECONDS = 1.0  # a shorter wait is not worth a message


@contextmanager
def locked(path: Path, busy: str, *, wait: bool = True) -> Iterator[None]:
    """Hold a lock that one process (or thread) at a time can hold.

    The system releases the lock when the process ends, even if it is killed. The lock file stays.

    Args:
        path: of the lock file. It is created if it is missing; its folder must exist.
        busy: message for the time when another process holds the lock, for example "another process writes DIR".
        wait: wait for the lock, and print the message if that takes long. Otherwise raise it at once.

    Raises:
        DataError: if another process holds the lock and ``wait`` is false.
        OSError: if the lock file cannot be created.
    """
    lock = FileLock(path, mode=0o666)  # another user of the folder may lock it, too
    try:
        lock.acquire(timeout=SILENT_SECONDS if wait else 0)
    except Timeout:
        if not wait:
            raise DataError(f"{busy}; wait until it is done") from None
        sys.stderr.write(f"{busy}: waiting until it is done\n")
        lock.acquire()
    except NotImplementedError:  # older versions of filelock, on a network disk without locks: go on without
        yield
        return
    try:
        yield
    finally:
        lock.release()
