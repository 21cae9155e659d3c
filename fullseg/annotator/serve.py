"""Starts the server with its guard at one address, and ends it after Ctrl-C without losing work."""

import secrets
import socket
import sys
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import uvicorn

from fullseg.annotator.learning import Learning
from fullseg.annotator.security import LOOPBACK, Guard
from fullseg.annotator.server import make_app
from fullseg.annotator.workspace import Workspace
from fullseg.errors import ConfigError

SECONDS_TO_END = 5  # seconds that running requests may still take after Ctrl-C


def serve(
    workspace: Workspace,
    model: Future[Any],
    *,
    host: str,
    port: int,
    announce: Callable[[str], object],
    learning: Learning | None = None,
) -> None:
    """Serve until Ctrl-C, or until the model turns out to be unusable.

    By default only this machine can connect. If ``host`` is an address that other machines reach, every browser needs
    the token, which is part of the announced address.

    Args:
        workspace: the images and their work.
        model: is being loaded; requests that need it wait.
        host: address to listen at.
        port: port to listen at; 0: any free port.
        announce: called with the page's address once the server answers.
        learning: what learns from finished images; None: nothing does.

    Raises:
        ConfigError: if the server cannot listen at this address. The message names the remedy.
        Exception: whatever kept the model from being loaded.
    """
    local = host in ("127.0.0.1", "localhost", "::1")
    token = None if local else secrets.token_urlsafe(24)
    listening = listen(host, port)
    app = Guard(make_app(workspace, learning), hosts=LOOPBACK if local else (), token=token)
    options = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=SECONDS_TO_END)
    announce(_address(host, listening.getsockname()[1], token))
    server = uvicorn.Server(options)

    def end_without(loaded: Future[Any]) -> None:
        if loaded.exception() is not None:  # else it stays as it is: Ctrl-C may have come first
            server.should_exit = True

    model.add_done_callback(end_without)
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:
        sys.stderr.write("\n")
    finally:
        if learning is not None:
            learning.stop()
        workspace.journal.close()
    if server.should_exit and model.done():
        model.result()


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens there; port 0: any that is free. Raise ConfigError if it cannot."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.create_server((host, port), family=family)
        # Connections inherit it. Without it an answer's body may wait 40 ms for the receipt of its headers.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except (OSError, OverflowError) as error:
        remedy = (
            "another program, perhaps another annotator, may use it: choose another --port, or 0 for any that is free"
        )
        raise ConfigError(f"--host {host} --port {port}: cannot listen there: {error}; {remedy}") from error


def _address(host: str, port: int, token: str | None) -> str:
    name = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)
    name = f"[{name}]" if ":" in name else name
    return f"http://{name}:{port}/" + (f"?token={token}" if token else "")
