"""The requests about all images: their list, the times that they took, the notes about them, and all exports."""

from collections import defaultdict
from typing import Any

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from fullseg.annotator.download import exported_files, zip_exports
from fullseg.annotator.request_values import content_of, name_of
from fullseg.annotator.workspace import Workspace


def overview_routes(workspace: Workspace) -> list[Route]:
    """Return the routes of these requests."""
    requests = _Requests(workspace)
    return [
        Route("/api/workspace", requests.overview),
        Route("/api/times", requests.times),
        Route("/api/download", requests.download),
        Route("/api/images/{number}/note", requests.note, methods=["POST"]),
    ]


class _Requests:
    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    async def overview(self, _: Request) -> Response:
        """Return all images with their progress, their notes and the seconds that they took."""
        return JSONResponse(await run_in_threadpool(self._overview))

    def _overview(self) -> list[dict[str, Any]]:
        journal, took = self.workspace.journal, defaultdict[str, float](float)
        notes = journal.notes()
        for name, _, _, seconds in journal.seconds():
            took[name] += seconds
        return [
            {
                "name": name,
                "key": self.workspace.key(name),
                "regions": regions,
                "done": done,
                "revision": journal.revision(name),
                "seconds": took[name],
                **notes[name]._asdict(),
            }
            for name, regions, done in self.workspace.progress()
        ]

    async def times(self, _: Request) -> Response:
        """Return the time that the person took, per image and kind of action."""
        rows = await run_in_threadpool(self.workspace.journal.seconds)
        return JSONResponse([dict(zip(("image", "kind", "count", "seconds"), row, strict=True)) for row in rows])

    async def note(self, request: Request) -> Response:
        """Skip, flag or comment an image, or take that back; return the note. It is in the journal then."""
        name, content = name_of(request, self.workspace), await content_of(request)
        return JSONResponse((await run_in_threadpool(self.workspace.note, name, content))._asdict())

    async def download(self, request: Request) -> Response:
        """Return all exports as one zip file; a HEAD request only says whether there are any."""
        if request.method == "HEAD":
            await run_in_threadpool(exported_files, self.workspace.out)
            return Response()
        path, remove = await run_in_threadpool(zip_exports, self.workspace.out)
        name = f"{self.workspace.folder.name}-fullseg.zip"
        return FileResponse(path, media_type="application/zip", filename=name, background=BackgroundTask(remove))
