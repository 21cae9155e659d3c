"""The server's socket and its end."""

import socket
from concurrent.futures import Future

import pytest
import uvicorn

from fullseg.annotator.serve import listen, serve
from fullseg.annotator.workspace import Workspace


def test_answers_are_sent_at_once() -> None:
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        connection, _ = listening.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_ctrl_c_is_not_forgotten_when_the_model_is_loaded_afterwards(
    monkeypatch: pytest.MonkeyPatch, workspace: Workspace
) -> None:
    """A server that was told to end ends, even if the model was loaded at this moment."""
    model: Future[object] = Future()
    asked: list[bool] = []

    def run(server: uvicorn.Server, sockets: list[socket.socket]) -> None:
        server.should_exit = True  # as uvicorn does at a signal
        model.set_result(None)
        asked.append(server.should_exit)
        sockets[0].close()

    monkeypatch.setattr(uvicorn.Server, "run", run)
    serve(workspace, model, host="127.0.0.1", port=0, announce=lambda _: None)
    assert asked == [True]
