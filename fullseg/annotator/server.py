"""The annotator's server: it answers the page's requests. It keeps no state: all state is in the workspace."""

import base64
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from fullseg.annotator import class_changes
from fullseg.annotator.actions import ActionError
from fullseg.annotator.close_up import CloseUps
from fullseg.annotator.images import for_browser
from fullseg.annotator.importing import ImportedError
from fullseg.annotator.layer import Part
from fullseg.annotator.learning import Learning
from fullseg.annotator.learning_requests import learning_routes
from fullseg.annotator.loose import count_loose
from fullseg.annotator.overview import overview_routes
from fullseg.annotator.plain import categories_as_plain, state_as_plain
from fullseg.annotator.request_values import RequestError, content_of, duration, name_of, whole
from fullseg.annotator.store import ConflictError, JournalError
from fullseg.annotator.thumbnails import Thumbnails
from fullseg.annotator.workspace import StaleError, Workspace
from fullseg.errors import CheckpointError, DataError, ImageError

STATIC = Path(__file__).parent / "static"
STATUS: dict[type[Exception], int] = {
    ActionError: 400,
    ImportedError: 400,
    ConflictError: 409,
    StaleError: 410,
    ImageError: 415,
    JournalError: 507,
    DataError: 507,  # a file that cannot be written
    CheckpointError: 422,  # a model that cannot be used
    OSError: 507,  # for example a full disk
}


def make_app(workspace: Workspace, learning: Learning | None = None) -> Starlette:
    """Make the server as an ASGI application, without its guard; without ``learning`` its model never changes."""
    api = _Api(workspace)
    routes = [
        Route("/", _page),
        Mount("/static", StaticFiles(directory=STATIC)),
        Route("/api/categories", api.categories),
        Route("/api/categories", api.add_category, methods=["POST"]),
        Route("/api/categories/{number}", api.change_category, methods=["POST"]),
        Route("/api/images/{number}", api.state),
        Route("/api/images/{number}/pixels", api.pixels),
        Route("/api/images/{number}/thumbnail", api.thumbnail),
        Route("/api/images/{number}/labels", api.labels, middleware=[Middleware(GZipMiddleware, compresslevel=1)]),
        Route("/api/images/{number}/loose", api.loose),
        Route("/api/images/{number}/close_up", api.close_up),
        Route("/api/images/{number}/actions", api.act, methods=["POST"]),
        Route("/api/images/{number}/import", api.replace, methods=["POST"]),
        Route("/api/images/{number}/export", api.export, methods=["POST"]),
    ]
    routes += overview_routes(workspace)
    routes += learning_routes(workspace, learning) if learning is not None else []
    handlers: dict[Any, Callable[[Request, Exception], Awaitable[Response]]] = dict.fromkeys(STATUS, _refuse)
    handlers[RequestError] = _refuse
    return Starlette(routes=routes, exception_handlers=handlers)


async def _page(_: Request) -> Response:
    return FileResponse(STATIC / "index.html")


async def _refuse(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=STATUS.get(type(error), 400))


class _Api:
    """The handlers. They check the request and work in threads, so that other requests never wait for the model."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.thumbnails = Thumbnails(workspace)
        self.close_ups = CloseUps(workspace)

    async def categories(self, _: Request) -> Response:
        """Return all categories; this waits for the model if they are the model's own."""
        return JSONResponse(await run_in_threadpool(self._categories))

    def _categories(self) -> dict[str, Any]:
        """Return all categories, and the ids of those that can be changed."""
        categories = self.workspace.categories
        return {"categories": categories_as_plain(categories.known()), "own": [one.id for one in categories.own()]}

    async def add_category(self, request: Request) -> Response:
        """Add a category that the person typed in; return its id and all categories."""
        content = await content_of(request)
        name, isthing = content.get("name"), content.get("isthing")
        if not isinstance(name, str) or not isinstance(isthing, bool):
            raise RequestError("a category needs a name, and isthing true or false")
        added = await run_in_threadpool(self.workspace.categories.add, name, isthing=isthing)
        return JSONResponse({"id": added.id, **self._categories()})

    async def change_category(self, request: Request) -> Response:
        """Rename a typed-in category (``name``), merge it ``into`` another one, or remove it; return all categories."""
        number, content = whole(request.path_params["number"], "category"), await content_of(request)
        if isinstance(content.get("name"), str):
            await run_in_threadpool(class_changes.rename, self.workspace, number, content["name"])
        elif "into" in content:
            into = whole(content["into"], "into")
            await run_in_threadpool(class_changes.merge, self.workspace, number, into)
        elif content.get("remove") is True:
            await run_in_threadpool(class_changes.remove, self.workspace, number)
        else:
            raise RequestError("a change of a category needs a name, another category as into, or remove true")
        return JSONResponse(self._categories())

    async def state(self, request: Request) -> Response:
        """Return the newest state of one image."""
        name = name_of(request, self.workspace)
        return JSONResponse(state_as_plain(name, await run_in_threadpool(self.workspace.open, name)))

    async def pixels(self, request: Request) -> Response:
        """Return the image in its full size."""
        return await run_in_threadpool(_pixels, self.workspace.path(name_of(request, self.workspace)))

    async def thumbnail(self, request: Request) -> Response:
        """Return a small picture of the image with its regions at a revision, or at an earlier one."""
        name, revision = name_of(request, self.workspace), whole(request.query_params.get("revision", "0"), "revision")
        body, exact = await run_in_threadpool(self.thumbnails.png, name, revision)
        keeping = "private, max-age=3600" if exact else "no-store"
        return Response(body, media_type="image/png", headers={"Cache-Control": keeping})

    async def labels(self, request: Request) -> Response:
        """Return the labels of one revision.

        The body has up to three parts: labels (H, W) uint16 little-endian, the region's index + 1, or 0 for VOID; with
        ``heat=1``, uncertainty (H, W) uint8; UTF-8 JSON with everything else that the page shows.
        """
        name, revision = name_of(request, self.workspace), whole(request.query_params.get("revision"), "revision")
        heat = whole(request.query_params.get("heat", "0"), "heat")
        opened, found = await run_in_threadpool(self.workspace.labels, name, revision)
        places = np.argsort(found.expected_iou, kind="stable")
        regions = opened.history.work.regions
        about = {
            "revision": revision,
            "unassigned": found.unassigned,
            "regions": [region.id for region in regions],
            "expected_iou": [round(float(iou), 4) for iou in found.expected_iou],
            "least_sure": [regions[place].id for place in places if regions[place].mask is None],
            "categories": self.workspace.categories.ids(opened.history.work, found.classes),
        }
        labels = (found.region_map + 1).astype("<u2").tobytes()
        uncertainty = np.round(255 * found.uncertainty).astype("u1").tobytes() if heat else b""
        body = labels + uncertainty + json.dumps(about).encode()  # not as a header: proxies cut headers at a few kB
        return Response(body, media_type="application/octet-stream")

    async def close_up(self, request: Request) -> Response:
        """Return the labels of a part of the file, as ``labels`` has them; no content: the revision is an old one."""
        revision, *ends = (
            whole(request.query_params.get(what), what) for what in ("revision", "left", "top", "right", "bottom")
        )
        name = name_of(request, self.workspace)
        try:
            found = await run_in_threadpool(self.close_ups.labels, name, revision, Part(*ends))
        except StaleError:  # it is asked for whenever a person pauses, so this is no error
            return Response(status_code=204)
        return Response((found + 1).astype("<u2").tobytes(), media_type="application/octet-stream")

    async def loose(self, request: Request) -> Response:
        """Return the number of islands and holes below some pixels of the file; null: the revision is an old one."""
        revision, below = (whole(request.query_params.get(what), what) for what in ("revision", "below"))
        name = name_of(request, self.workspace)
        try:
            count = await run_in_threadpool(count_loose, self.workspace, name, revision, below)
        except StaleError:  # it is asked for whenever a person pauses, so this is no error
            return JSONResponse({"count": None})
        return JSONResponse({"count": count})

    async def act(self, request: Request) -> Response:
        """Do one action. The answer is sent when the action is in the journal."""
        name, content = name_of(request, self.workspace), await content_of(request)
        revision, seconds = whole(content.get("revision"), "revision"), duration(content.get("seconds", 0))
        opened = await run_in_threadpool(self.workspace.act, name, revision, content.get("action"), seconds)
        return JSONResponse(state_as_plain(name, opened))

    async def replace(self, request: Request) -> Response:
        """Replace an image's regions by those of a COCO panoptic png (in base64) and json."""
        name, content = name_of(request, self.workspace), await content_of(request)
        try:
            png = base64.b64decode(content.get("png", ""), validate=True)
        except (ValueError, TypeError) as error:
            raise RequestError(f"png: {error}") from error
        revision = whole(content.get("revision"), "revision")
        opened, left_out = await run_in_threadpool(self.workspace.replace, name, revision, png, content.get("json"))
        return JSONResponse({**state_as_plain(name, opened), "left_out": left_out})

    async def export(self, request: Request) -> Response:
        """Write the export of one image."""
        name, content = name_of(request, self.workspace), await content_of(request)
        revision = whole(content.get("revision"), "revision")
        exported = await run_in_threadpool(self.workspace.export, name, revision)
        files = [str(path) for path in exported.files]
        unreadable = [str(path) for path in exported.unreadable]
        counts = {"segments": exported.segments, "unassigned": exported.unassigned}
        return JSONResponse({**counts, "files": files, "unreadable": unreadable})


def _pixels(path: Path) -> Response:
    body, kind = for_browser(path)
    return Response(body, media_type=kind, headers={"Cache-Control": "private, max-age=60"})
