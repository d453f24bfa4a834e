# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does anybody who sends slowly, or without end, keep the others from their pages?"""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack, closing
from typing import Any

import pytest
from flask import Flask

from booking_server.web.asgi import REQUEST_THREADS, Pages
from tests.system.visitor import Visitor
from tests.web.conftest import Served

HEAD = (
    "POST /sign-in HTTP/1.1\r\nHost: hub.example\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    "Content-Length: {length}\r\n\r\nsign_in_name=a"
)


def _half_sent(served: Served, length: int) -> socket.socket:
    host, port = served.address.removeprefix("http://").split(":")
    line = socket.create_connection((host, int(port)), timeout=10)
    line.sendall(HEAD.format(length=length).encode())
    return line


@pytest.mark.parametrize("length", [1000, 1024 * 1024])
def test_forms_that_never_end_hold_up_nobody(running: Served, length: int) -> None:
    """Twice as many strangers as there are request threads begin a form and send no more of it: the pages go on."""
    with ExitStack() as lines:
        for _ in range(2 * REQUEST_THREADS):
            lines.enter_context(closing(_half_sent(running, length)))
        assert Visitor(running.address).see("/sign-in").status == 200


def _answered(app: Flask, coming: list[Any], headers: list[tuple[bytes, bytes]]) -> list[Any]:
    """Return what is answered to somebody who sends this, and then nothing more."""
    said: list[Any] = []

    async def receive() -> Any:
        return coming.pop(0) if coming else await asyncio.Future()

    async def send(message: Any) -> None:
        said.append(message)

    async def ask() -> None:
        scope = {"type": "http", "method": "POST", "path": "/sign-in", "query_string": b"", "headers": headers}
        await Pages(app, body_seconds=0.1)({**scope, "http_version": "1.1", "scheme": "https"}, receive, send)

    asyncio.run(ask())
    return said


def test_a_form_that_does_not_arrive_is_answered_so(app: Flask) -> None:
    """Whoever takes too long is told to send again, with the guards of every answer, and the line is closed."""
    begun = {"type": "http.request", "body": b"sign_in_name=a", "more_body": True}
    start = _answered(app, [begun], [(b"content-length", b"1000")])[0]
    assert start["status"] == 408
    assert {(b"connection", b"close"), (b"cache-control", b"no-store")} <= set(start["headers"])


def test_what_is_too_large_is_never_gathered(app: Flask) -> None:
    """Neither by what it says of its length nor, where it says nothing, by what came."""
    piece = {"type": "http.request", "body": b"a" * 2**20, "more_body": True}
    assert _answered(app, [], [(b"content-length", b"999999999")])[0]["status"] == 413
    assert _answered(app, [dict(piece) for _ in range(9)], [(b"transfer-encoding", b"chunked")])[0]["status"] == 413
