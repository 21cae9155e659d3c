"""Reads the values of a request, which may be anything."""

import json
import math
from typing import Any

from starlette.requests import Request

from fullseg.annotator.store import ConflictError
from fullseg.annotator.workspace import Workspace

LONGEST = 24 * 3600.0  # most seconds that a person may have taken for one action


class RequestError(ValueError):
    """A malformed request."""


async def content_of(request: Request) -> dict[str, Any]:
    """Return the JSON object that a request sends; raise RequestError if it sends none."""
    try:
        content = json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise RequestError(f"the body is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise RequestError("the body is not a JSON object")
    return content


def whole(value: object, what: str) -> int:
    """Return a whole number from 0; raise RequestError, which names it, if it is none."""
    if type(value) is int and 0 <= value < 1 << 31:
        return value
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10:
        return int(value)
    raise RequestError(f"{what}={value!r}: expected a whole number from 0")


def duration(value: object) -> float:
    """Return a person's time in seconds, at most ``LONGEST``; raise RequestError if it is no number."""
    if isinstance(value, int | float) and not isinstance(value, bool) and -math.inf < value < math.inf:
        return float(min(max(value, 0), LONGEST))
    raise RequestError(f"seconds={value!r}: expected a number")


def name_of(request: Request, workspace: Workspace) -> str:
    """Return the name of the image whose number the path of a request has.

    Raises:
        RequestError: if there is no such image.
        ConflictError: if its file is another one than the page knows.
    """
    number = whole(request.path_params["number"], "image")
    if number >= len(workspace.names):
        raise RequestError(f"image {number}: there are {len(workspace.names)} images, counted from 0")
    name, key = workspace.names[number], request.query_params.get("key")
    if key is not None and key != workspace.key(name):
        raise ConflictError(f"image {number} has become another file since the page was opened: reload the page")
    return name
