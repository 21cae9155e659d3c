"""The requests about the model: which one is in use, which can be chosen, and what it can learn from."""

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fullseg.annotator.learning import Learning
from fullseg.annotator.request_values import RequestError, content_of
from fullseg.annotator.workspace import Workspace


def learning_routes(workspace: Workspace, learning: Learning) -> list[Route]:
    """Return the routes of these requests."""
    requests = _Requests(workspace, learning)
    return [
        Route("/api/learning", requests.status),
        Route("/api/learning", requests.act, methods=["POST"]),
        Route("/api/efforts", requests.efforts),
        Route("/api/models", requests.models),
    ]


class _Requests:
    def __init__(self, workspace: Workspace, learning: Learning) -> None:
        self.workspace, self.learning = workspace, learning

    async def status(self, _: Request) -> Response:
        """Return whether a model learns, what is in use and what is offered."""
        return JSONResponse(await run_in_threadpool(self.learning.status))

    async def act(self, request: Request) -> Response:
        """Start or stop to learn, use a learnt model, go back to the one before, or choose one; return the status."""
        content = await content_of(request)
        actions: dict[Any, Any] = {
            "start": self.learning.start,
            "stop": self.learning.stop,
            "use": lambda: self.learning.use(str(content.get("name"))),
            "back": self.learning.back,
            "choose": lambda: self.learning.choose(str(content.get("name"))),
        }
        if content.get("action") not in actions:
            raise RequestError(f"action: one of {', '.join(actions)}")
        await run_in_threadpool(actions[content["action"]])
        return await self.status(request)

    async def efforts(self, _: Request) -> Response:
        """Return what each image has taken that is done, in the order in which they were done."""
        regions = {name: count for name, count, done in await run_in_threadpool(self.workspace.progress) if done}
        rows = await run_in_threadpool(self.workspace.journal.efforts)
        return JSONResponse(
            [
                {"image": name, "regions": regions[name], "strokes": strokes, "seconds": seconds, "begun": begun}
                for name, strokes, seconds, begun in rows
                if name in regions
            ]
        )

    async def models(self, _: Request) -> Response:
        """Return the name of the model in use, whether it has learnt here, and all models that can be chosen."""
        return JSONResponse(await run_in_threadpool(self._models))

    def _models(self) -> dict[str, Any]:
        learnt = self.learning.status()["current"]
        return {
            "name": self.learning.name,
            "learnt": learnt,
            "choices": [one._asdict() for one in self.learning.choices()],
        }
