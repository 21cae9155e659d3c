"""The guard in front of the server. It refuses requests of the wrong sender or size before the server sees them."""

import hmac
from collections.abc import Sequence
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
LARGEST_BODY = 64 * 1024 * 1024  # bytes; a panoptic png of 8000 x 8000 pixels has a few MiB
COOKIE = "fullseg_token"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)


class Guard:
    """Refuses foreign hosts (DNS rebinding), foreign pages (cross-site posts), missing tokens and huge bodies.

    Args:
        app: the application behind the guard.
        hosts: host names, without port, under which the server answers. Empty: all names, which needs a token.
        token: the token that the first request must have as ``?token=``; None if no token is needed.
    """

    def __init__(self, app: ASGIApp, *, hosts: Sequence[str], token: str | None) -> None:
        if not hosts and token is None:
            raise ValueError("a server that answers to any host needs a token")
        self.app = app
        self.hosts = frozenset(hosts)
        self.token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return  # there are no websockets
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, _with_headers(send))
            return
        seen = 0

        async def limited() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > LARGEST_BODY:
                raise HTTPException(
                    413, f"more than {LARGEST_BODY >> 20} MiB"
                )  # the application turns it into the answer
            return message

        await self.app(scope, limited, _with_headers(send))

    def _refusal(self, scope: Scope) -> PlainTextResponse | RedirectResponse | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self.hosts and _name(host) not in self.hosts:
            return _refuse(403, "this server does not answer to that host name")
        origin = headers.get("origin")
        foreign = origin is not None and origin.partition("://")[2] != host
        followed = (
            scope["path"] == "/" and headers.get("sec-fetch-mode") == "navigate"
        )  # a link on another page to this page is allowed
        if foreign or (headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none") and not followed):
            return _refuse(403, "requests from other pages are refused")
        if scope["method"] not in ("GET", "HEAD") and headers.get("x-fullseg") is None:
            return _refuse(403, "the header X-Fullseg is missing")  # a form on another page cannot send this header
        declared = headers.get("content-length", "0")
        if not declared.isdecimal() or int(declared) > LARGEST_BODY:
            return _refuse(413, f"more than {LARGEST_BODY >> 20} MiB")
        return None if self.token is None else self._token_refusal(scope, headers, self.token)

    def _token_refusal(self, scope: Scope, headers: Headers, token: str) -> PlainTextResponse | RedirectResponse | None:
        name = _cookie_name(headers.get("host", ""))
        if _same(_cookie(headers.get("cookie", ""), name), token):
            return None
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["path"] == "/" and _same(given, token):
            answer = RedirectResponse("/", status_code=303)  # removes the token from the address bar and the history
            answer.set_cookie(name, token, httponly=True, samesite="strict")
            return answer
        return _refuse(401, "open the address with the token that the server printed")


def _name(host: str) -> str:
    name, separator, port = host.rpartition(":")
    return name if separator and port.isdecimal() else host


def _cookie_name(host: str) -> str:
    """Return the cookie's name. It has the port: cookies ignore ports, and a machine may run two servers."""
    return f"{COOKIE}_{host.rpartition(':')[2]}" if _name(host) != host else COOKIE


def _cookie(header: str, name: str) -> str:
    try:
        cookie = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return cookie.value if cookie else ""


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())


def _refuse(status: int, why: str) -> PlainTextResponse:
    return PlainTextResponse(why, status_code=status)


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message["headers"]}
            message["headers"] = [*message["headers"], *(pair for pair in HEADERS if pair[0] not in present)]
        await send(message)

    return sending
