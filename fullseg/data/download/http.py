"""Downloads one file over HTTP, and continues where an earlier attempt stopped."""

import json
import queue
import threading
import time
from collections.abc import Callable
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

CHUNK = 1 << 20  # bytes
CONNECT_SECONDS = 5.0  # for each address of the server's name
ANSWER_SECONDS = 15.0  # for all addresses together
STALL_SECONDS = 30.0  # without a byte, until the connection counts as lost
RETRIES = 6  # in a row without progress
FIRST_PAUSE = 1.0  # seconds before the first retry; each further pause is twice as long
TEMPORARY = (429, 500, 502, 503, 504)  # HTTP statuses that may pass

Report = Callable[[int, int | None], None]  # takes the bytes received so far, and the size of the file if known


class RemoteFile(NamedTuple):
    """A file on a server. A note of it lies beside a partial download; each field is None if it is unknown."""

    validator: str | None  # ETag or date, by which the server tells whether the file has changed
    etag: str | None
    size: int | None  # bytes


def remote_size(url: str) -> int | None:
    """Ask a server for the size of a file in bytes; None if it does not say.

    Raises:
        HTTPError: if the server does not have it.
        OSError: if no server answers within ``ANSWER_SECONDS``.
    """
    answers: queue.SimpleQueue[int | Exception | None] = queue.SimpleQueue()
    # In a thread, because urllib's timeout counts per address, and does not cover the look-up of the name.
    threading.Thread(target=lambda: answers.put(_size_or_error(url)), daemon=True).start()
    try:
        answer = answers.get(timeout=ANSWER_SECONDS)
    except queue.Empty:
        raise TimeoutError(f"no answer within {ANSWER_SECONDS:g} s") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def download(url: str, partial: Path, report: Report) -> str | None:
    """Download a file to ``partial``, or the rest of it if ``partial`` has its beginning already.

    Beside it lies a note, ``<partial>.json``. If the server has another file now, the download starts again.

    Args:
        url: of the file.
        partial: where the bytes go.
        report: is called with the progress.

    Returns:
        The MD5 of the whole file, if the server's ETag is one.

    Raises:
        HTTPError: if the server refuses for good.
        OSError: if the connection was lost more than ``RETRIES`` times in a row without progress.
    """
    furthest, failures = _size(partial), 0
    while True:
        try:
            return _md5_in(_download_rest(url, partial, report))
        except (URLError, TimeoutError, ConnectionError, HTTPException) as error:
            if isinstance(error, HTTPError) and error.code not in TEMPORARY:
                raise
            failures = 0 if _size(partial) > furthest else failures + 1
            furthest = max(furthest, _size(partial))
            if failures > RETRIES:
                raise ConnectionError(f"{url}: {error}, {failures} times in a row") from error
            time.sleep(FIRST_PAUSE * 2 ** max(failures - 1, 0))


def _size_or_error(url: str) -> int | Exception | None:
    try:
        with urlopen(Request(url, method="HEAD"), timeout=CONNECT_SECONDS) as response:
            return _whole_size(response.headers)
    except HTTPError as error:
        # Some mirrors do not support HEAD, and a busy server may answer the download later.
        return None if error.code in (405, 501, *TEMPORARY) else error
    except (OSError, HTTPException) as error:
        return error if isinstance(error, OSError) else ConnectionError(repr(error))


def _download_rest(url: str, partial: Path, report: Report) -> str | None:
    """Download the missing bytes in one attempt; return the ETag."""
    start, known = _size(partial), _read_note(partial)
    if start and start == known.size:
        return known.etag
    headers = {}
    if 0 < start < (known.size or start + 1) and known.validator:
        headers = {"Range": f"bytes={start}-", "If-Range": known.validator}
    try:
        response = urlopen(Request(url, headers=headers), timeout=STALL_SECONDS)
    except HTTPError as error:
        if error.code != 416 or not headers:  # 416: the file on the server is shorter now
            raise
        partial.unlink()
        return _download_rest(url, partial, report)
    with response:
        now = RemoteFile(_validator(response.headers), response.headers["ETag"], _whole_size(response.headers))
        continues = response.status == 206
        if continues and (now.validator != known.validator or not _begins_at(start, response.headers)):
            partial.unlink()  # the server supports Range, but not If-Range
            return _download_rest(url, partial, report)
        _receive(response, partial, now, report, start if continues else 0)
    return now.etag


def _receive(response: HTTPResponse, partial: Path, now: RemoteFile, report: Report, start: int) -> None:
    with partial.open("ab" if start else "wb") as file:
        note_path(partial).write_text(json.dumps(now._asdict()), encoding="utf-8")
        done = start
        report(done, now.size)
        while now.size is None or done < now.size:
            chunk = response.read1(CHUNK)  # read() would return nothing of a chunk that was cut off
            if not chunk:
                break
            file.write(chunk)
            done += len(chunk)
            report(done, now.size)
    if now.size is not None and done != now.size:
        raise ConnectionError(f"the connection ended after {done} of {now.size} bytes")


def _whole_size(headers: HTTPMessage) -> int | None:
    in_all = (headers["Content-Range"] or "").rpartition("/")[2] or headers["Content-Length"] or ""
    return int(in_all) if in_all.isdecimal() else None


def _begins_at(start: int, headers: HTTPMessage) -> bool:
    return (headers["Content-Range"] or "").startswith(f"bytes {start}-")


def _validator(headers: HTTPMessage) -> str | None:
    etag: str | None = headers["ETag"]
    if etag and not etag.startswith("W/"):  # a weak ETag does not guarantee the same bytes
        return etag
    return headers["Last-Modified"]


def _md5_in(etag: str | None) -> str | None:
    text = (etag or "").strip('"').lower()
    return text if len(text) == 32 and set(text) <= set("0123456789abcdef") else None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def note_path(partial: Path) -> Path:
    """Return the path of the note beside a partial download."""
    return partial.with_name(f"{partial.name}.json")


def _read_note(partial: Path) -> RemoteFile:
    try:
        return RemoteFile(**json.loads(note_path(partial).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return RemoteFile(None, None, None)
