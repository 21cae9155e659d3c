"""The requests about all images: their list, the times that they took, and the notes about them."""

from collections import defaultdict
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fullseg.annotator.request_values import content_of, name_of
from fullseg.annotator.workspace import Workspace


def overview_routes(workspace: Workspace) -> list[Route]:
    """Return the routes of these requests."""
    requests = _Requests(workspace)
    return [
        Route("/api/workspace", requests.overview),
        Route("/api/times", requests.times),
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
