"""The command ``kedro search page``: checks what the page needs, and serves it."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping
from typing import Any

import click

from wherewhen.galleries.galleries import SearchError
from wherewhen.galleries.page.guard import LOOPBACK


def show(env: str | None, params: Mapping[str, Any], host: str, port: int) -> None:
    """Serve the page of an environment's gallery until the process is ended.

    Raises
    ------
    wherewhen.galleries.galleries.SearchError
        If there is no gallery, NiceGUI is not installed, or the port can't be had.
    """
    try:
        from wherewhen.galleries.page.web import serve
    except ModuleNotFoundError as error:
        if error.name != "nicegui":
            raise
        raise SearchError(
            "the page needs the package nicegui, which is not installed: install the extra `page` "
            "(uv sync --extra page)"
        ) from error
    from wherewhen.galleries.page.desk import Desk

    require_free(host, port)
    desk = Desk.of(env, params)
    if host not in LOOPBACK:
        click.echo(f"Whoever reaches port {port} of {host} sees the footage, and can mark it.")
    click.echo(f"{len(desk.gallery)} tracklets at {address(host, port)} (end it with Ctrl-C)")
    serve(desk, host, port)


def address(host: str, port: int) -> str:
    """Return the page's address.

    Examples
    --------
    >>> address("::1", 8080)
    'http://[::1]:8080'
    """
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def require_free(host: str, port: int) -> None:
    """Raise a `SearchError` if nothing can be served at a host and port."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
            tried.bind((host, port))
    except OSError as error:
        cure = "name another with --port" if error.errno == errno.EADDRINUSE else "name another"
        raise SearchError(
            f"the page can't be served at {host}, port {port} ({error.strerror or error}): {cure}"
        ) from error
