"""Starts the server with its guard at one address, and ends it after Ctrl-C without losing work."""

import secrets
import socket
import sys
from collections.abc import Callable

import uvicorn

from fullseg.annotator.security import LOOPBACK, Guard
from fullseg.annotator.server import make_app
from fullseg.annotator.workspace import Workspace
from fullseg.errors import ConfigError

SECONDS_TO_END = 5  # seconds that running requests may still take after Ctrl-C


def serve(workspace: Workspace, *, host: str, port: int, announce: Callable[[str], object]) -> None:
    """Serve until Ctrl-C.

    By default only this machine can connect. If ``host`` is an address that other machines reach, every browser needs
    the token, which is part of the announced address.

    Args:
        workspace: the images and their work.
        host: address to listen at.
        port: port to listen at; 0: any free port.
        announce: called with the page's address once the server answers.

    Raises:
        ConfigError: if the server cannot listen at this address. The message names the remedy.
    """
    local = host in ("127.0.0.1", "localhost", "::1")
    token = None if local else secrets.token_urlsafe(24)
    listening = _listen(host, port)
    app = Guard(make_app(workspace), hosts=LOOPBACK if local else (), token=token)
    options = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=SECONDS_TO_END)
    announce(_address(host, listening.getsockname()[1], token))
    try:
        uvicorn.Server(options).run(sockets=[listening])
    except KeyboardInterrupt:
        sys.stderr.write("\n")
    finally:
        workspace.journal.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        remedy = (
            "another program, perhaps another annotator, may use it: choose another --port, or 0 for any that is free"
        )
        raise ConfigError(f"--host {host} --port {port}: cannot listen there: {error}; {remedy}") from error


def _address(host: str, port: int, token: str | None) -> str:
    name = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)
    name = f"[{name}]" if ":" in name else name
    return f"http://{name}:{port}/" + (f"?token={token}" if token else "")
