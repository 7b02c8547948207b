"""What the page answers: bounded requests of its own page, and no others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Hosts that only this machine reaches."""

POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
    "connect-src 'self' ws: wss:; frame-ancestors 'none'; form-action 'self'; base-uri 'self'"
)
"""What the browser may load: nothing from elsewhere."""

HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class _TooLarge(Exception):
    pass


class Guard:
    """An ASGI application that stands before another one.

    It refuses what another site's page makes the browser ask (its ``Origin`` is not the page's
    own, or the page is asked by a name that another site lets point here), and bodies that are too
    large, before they are in memory.

    Parameters
    ----------
    app : ASGI application
        What it guards.
    host : str
        Where the page is served: if that is one of `LOOPBACK`, only those names are answered.
    largest : int
        Bytes of a body.
    """

    def __init__(self, app: App, host: str, largest: int) -> None:
        self.app, self.local, self.largest = app, host in LOOPBACK, largest

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        if reason := self.refusal(headers):
            await _refuse(scope, send, 403, reason)
            return
        length = headers.get("content-length", "0")
        try:
            if length.isdigit() and int(length) > self.largest:
                raise _TooLarge
            await self.app(scope, self._bounded(receive), _with_headers(send))
        except _TooLarge:
            await _refuse(scope, send, 413, f"expected at most {self.largest} bytes")

    def refusal(self, headers: MutableMapping[str, str]) -> str | None:
        """Return why a request of these headers is refused, or None."""
        host = headers.get("host", "")
        if self.local and _name(host) not in LOOPBACK:
            return f"this page is not {host!r}: ask for 127.0.0.1"
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return f"requests of {origin!r} are not answered"
        return None

    def _bounded(self, receive: Receive) -> Receive:
        received = 0

        async def bounded() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > self.largest:
                    raise _TooLarge
            return message

        return bounded


def _name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *HEADERS]
        await send(message)

    return sending


async def _refuse(scope: Message, send: Send, status: int, reason: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{reason}\n".encode()})
