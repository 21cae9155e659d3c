"""Downloads one file over HTTP, and goes on where an earlier attempt stopped."""

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
CONNECT_SECONDS = 5.0  # for each address that the server's name stands for
ANSWER_SECONDS = 15.0  # for all of them together
STALL_SECONDS = 30.0  # without a byte
RETRIES = 6  # in a row that bring nothing
FIRST_PAUSE = 1.0  # seconds; doubles with every retry
TEMPORARY = (429, 500, 502, 503, 504)  # HTTP statuses

Report = Callable[[int, int | None], None]  # bytes that are there, and in all


class Kept(NamedTuple):
    """What is known of the file that a partial download is the beginning of."""

    validator: str | None  # ETag or date, by which the server knows whether it is still the same
    etag: str | None
    size: int | None  # bytes of the whole


def ask(url: str) -> int | None:
    """Ask a server for the size of a file in bytes; None: it does not say.

    Raises:
        HTTPError: if the server does not have it.
        OSError: if no server answers within ``ANSWER_SECONDS``.
    """
    answers: queue.SimpleQueue[int | Exception | None] = queue.SimpleQueue()
    # In a thread, for a timeout of urllib is for one address of several, and none at all for the name's look-up.
    threading.Thread(target=lambda: answers.put(_asked(url)), daemon=True).start()
    try:
        answer = answers.get(timeout=ANSWER_SECONDS)
    except queue.Empty:
        raise TimeoutError(f"no answer within {ANSWER_SECONDS:g} s") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def fetch(url: str, partial: Path, report: Report) -> str | None:
    """Download to ``partial``; what it holds already is the beginning, if the server still has the same file.

    Beside it lies ``<partial>.json``, which says what it is the beginning of.

    Returns:
        The MD5 of the whole file, where the server's ETag is one.

    Raises:
        HTTPError: if the server refuses for good.
        OSError: if the connection was lost, ``RETRIES`` times in a row without a byte more than before.
    """
    furthest, failures = _size(partial), 0
    while True:
        try:
            return _md5_in(_go_on(url, partial, report))
        except (URLError, TimeoutError, ConnectionError, HTTPException) as error:
            if isinstance(error, HTTPError) and error.code not in TEMPORARY:
                raise
            failures = 0 if _size(partial) > furthest else failures + 1
            furthest = max(furthest, _size(partial))
            if failures > RETRIES:
                raise ConnectionError(f"{url}: {error}, {failures} times in a row") from error
            time.sleep(FIRST_PAUSE * 2 ** max(failures - 1, 0))


def _asked(url: str) -> int | Exception | None:
    try:
        with urlopen(Request(url, method="HEAD"), timeout=CONNECT_SECONDS) as response:
            return _whole_size(response.headers)
    except HTTPError as error:
        # Some mirrors know no HEAD, and a busy one may answer the download itself later.
        return None if error.code in (405, 501, *TEMPORARY) else error
    except (OSError, HTTPException) as error:
        return error if isinstance(error, OSError) else ConnectionError(repr(error))


def _go_on(url: str, partial: Path, report: Report) -> str | None:
    """Fetch what is missing, in one attempt; return the ETag."""
    start, kept = _size(partial), _kept(partial)
    if start and start == kept.size:
        return kept.etag
    headers = {}
    if 0 < start < (kept.size or start + 1) and kept.validator:
        headers = {"Range": f"bytes={start}-", "If-Range": kept.validator}
    try:
        response = urlopen(Request(url, headers=headers), timeout=STALL_SECONDS)
    except HTTPError as error:
        if error.code != 416 or not headers:  # 416: the file has become shorter than what is here
            raise
        partial.unlink()
        return _go_on(url, partial, report)
    with response:
        now = Kept(_validator(response.headers), response.headers["ETag"], _whole_size(response.headers))
        goes_on = response.status == 206
        if goes_on and (now.validator != kept.validator or not _begins_at(start, response.headers)):
            partial.unlink()  # the server knows ranges, but not If-Range
            return _go_on(url, partial, report)
        _receive(response, partial, now, report, start if goes_on else 0)
    return now.etag


def _receive(response: HTTPResponse, partial: Path, now: Kept, report: Report, start: int) -> None:
    with partial.open("ab" if start else "wb") as file:
        note_path(partial).write_text(json.dumps(now._asdict()), encoding="utf-8")
        done = start
        report(done, now.size)
        while now.size is None or done < now.size:
            chunk = response.read1(CHUNK)  # not read, which gives nothing of a chunk that was cut off
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
    if etag and not etag.startswith("W/"):  # a weak one does not promise the same bytes
        return etag
    return headers["Last-Modified"]


def _md5_in(etag: str | None) -> str | None:
    text = (etag or "").strip('"').lower()
    return text if len(text) == 32 and set(text) <= set("0123456789abcdef") else None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def note_path(partial: Path) -> Path:
    """Return the file that says what a partial download is the beginning of."""
    return partial.with_name(f"{partial.name}.json")


def _kept(partial: Path) -> Kept:
    try:
        return Kept(**json.loads(note_path(partial).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return Kept(None, None, None)
