# SPDX-License-Identifier: AGPL-3.0-or-later
"""Serves the pages and the event stream on one port: Flask in a few request threads, the stream beside them in none.

Stops promptly on SIGTERM and SIGINT: streams end at once, requests under way get a few seconds.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs

import structlog
import uvicorn
from a2wsgi import WSGIMiddleware
from flask import Flask
from werkzeug.http import parse_cookie

from booking_server.broker import pki
from booking_server.clock import Clock
from booking_server.config import BadConfiguration, Config
from booking_server.db import Database
from booking_server.keys import Keys
from booking_server.service_manager import tell_ready
from booking_server.web import request as state
from booking_server.web import session as signed
from booking_server.web.app import create_app, guarding
from booking_server.web.measuring import STREAMS
from booking_server.web.stream import Watch

log = structlog.get_logger()

REQUEST_THREADS = 4
VIEWERS_MAX = 2000
ANY_ADDRESS = ("", "0.0.0.0", "::")  # noqa: S104 - where it may listen, and what is nobody's name
GRACE_SECONDS = 3
BODY_SECONDS = 30.0
"""How long a form or file may take to arrive. No request thread waits for it: a few slow senders would have them all."""
BODY_BYTES_MAX, ARRIVING_BYTES_MAX = 4 * 2**20, 64 * 2**20
"""What is taken in of one request, and of all that arrive at once. What a page takes it says itself, and it is less."""
_EVENT_STREAM = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]


class Pages:
    """The ASGI app of one web process."""

    def __init__(self, flask: Flask, *, body_seconds: float = BODY_SECONDS) -> None:
        hub: state.Hub = flask.extensions[state.EXTENSION]
        self._body_seconds, self._arriving = body_seconds, 0
        self._flask = flask
        self._hub = hub
        self._pages = WSGIMiddleware(cast(Any, flask), workers=REQUEST_THREADS)
        self.watch = Watch(hub.database, hub.clock)
        STREAMS.set_function(lambda: self.watch.viewers)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http" and scope["path"] == "/stream":
            await self._stream(scope, receive, send)
        elif scope["type"] == "http":
            await self._page(scope, receive, send)

    async def _page(self, scope: Any, receive: Any, send: Any) -> None:
        """Let a thread answer once the whole request is here."""
        body = bytearray()
        try:
            refused = await asyncio.wait_for(self._gather(scope, receive, body), self._body_seconds)
        except TimeoutError:
            refused = 408
        finally:
            self._arriving -= len(body)
        if refused:
            headers = [*_guards(scope), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": refused, "headers": headers})
            await send({"type": "http.response.body"})
            return
        whole = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def again() -> Any:
            return whole.pop() if whole else await receive()

        await self._pages(scope, again, send)

    async def _gather(self, scope: Any, receive: Any, body: bytearray) -> int:
        """Take the request in; return the status with which it is refused, or 0."""
        told = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        if told.isdigit() and int(told) > BODY_BYTES_MAX:
            return 413
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            self._arriving += len(message.get("body", b""))
            if len(body) > BODY_BYTES_MAX or self._arriving > ARRIVING_BYTES_MAX:
                return 413 if len(body) > BODY_BYTES_MAX else 503
            more = message.get("more_body", False)
        return 0

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        looking = asyncio.create_task(self.watch.run())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.watch.close()
        await looking
        await send({"type": "lifespan.shutdown.complete"})

    async def _stream(self, scope: Any, receive: Any, send: Any) -> None:
        status = await self._status(scope)
        headers = [*_guards(scope), *(_EVENT_STREAM if status == 200 else [])]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if status != 200:
            await send({"type": "http.response.body"})
            return
        asked = parse_qs(scope["query_string"].decode("ascii", "replace"))
        talk = asyncio.create_task(self._talk(send, asked.get("after", [""])[0], asked.get("command", [""])[0][:32]))
        gone = asyncio.create_task(_disconnected(receive))
        await asyncio.wait({talk, gone}, return_when=asyncio.FIRST_COMPLETED)
        for task in (talk, gone):
            task.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await task

    async def _talk(self, send: Any, after: str, command: str) -> None:
        newest = int(after) if after.isascii() and after.isdigit() and len(after) < 19 else None
        messages = self.watch.messages(newest, command)
        try:
            async for message in messages:
                await send({"type": "http.response.body", "body": message.encode(), "more_body": True})
        finally:
            await messages.aclose()
        await send({"type": "http.response.body"})

    async def _status(self, scope: Any) -> int:
        """Who may watch is who may see the pages: the same cookie, the same account, any role of the staff."""
        if scope["method"] != "GET":
            return 405
        if self.watch.viewers >= VIEWERS_MAX:
            return 503
        sent = b"; ".join(value for name, value in scope["headers"] if name == b"cookie").decode("latin-1")
        session = signed.read_cookie(self._flask, parse_cookie(sent).get(self._flask.config["SESSION_COOKIE_NAME"], ""))
        now = self._hub.clock.now()
        found = await asyncio.to_thread(signed.session_of, self._hub.database, session, now=now)
        if found is None or not found.account.actor().is_staff:
            return 401
        return 401 if signed.is_held(self._hub.config, found) else 200


def _guards(scope: Any) -> list[tuple[bytes, bytes]]:
    guards = {**guarding(secure=scope["scheme"] == "https"), "Cache-Control": "no-store"}
    return [(name.lower().encode(), value.encode()) for name, value in guards.items()]


async def _disconnected(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class _Server(uvicorn.Server):
    """Says when it listens, and ends the streams before it waits for connections to end."""

    def __init__(self, config: uvicorn.Config, pages: Pages, address: str) -> None:
        super().__init__(config)
        self._pages, self._address = pages, address

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        tell_ready()
        log.info("ready", pages=self._address)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._pages.watch.close()
        await super().shutdown(sockets)


def serve(database: Database, config: Config, keys: Keys, clock: Clock) -> None:
    """Serve until SIGTERM or SIGINT. Raise BadConfiguration where the port cannot be had."""
    files = https_files(config) if config.web.is_https else None
    listener = _listen(config.web.host, config.web.port)
    pages = Pages(create_app(database, config, keys, clock))
    settings = uvicorn.Config(
        pages,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=30,
        forwarded_allow_ips="127.0.0.1,::1",
        ssl_certfile=files and files[0],
        ssl_keyfile=files and files[1],
    )
    for signal_number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them once more when it has stopped
        signal.signal(signal_number, lambda *_: None)
    scheme = "http" if files is None else "https"
    _Server(settings, pages, f"{scheme}://{config.web.host}:{config.web.port}").run(sockets=[listener])


def https_files(config: Config) -> tuple[Path, Path]:
    """Return certificate and key, those that the settings name or of the hub's own authority. Raise BadConfiguration."""
    web = config.web
    if not web.certificate:
        names = [name for name in (web.host, web.known_as, socket.gethostname()) if name not in ANY_ADDRESS]
        return pki.issue_pages(config.folder, config.folder / "pages", *names)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(web.certificate, web.key)
    except (OSError, ssl.SSLError) as error:
        raise BadConfiguration(
            f"web.certificate is {web.certificate!r} and web.key is {web.key!r}, which cannot be used together:"
            f" {error.strerror or error}"
        ) from None
    return Path(web.certificate), Path(web.key)


def _listen(host: str, port: int) -> socket.socket:
    """Return a listening socket that says it is TCP: only then does asyncio switch Nagle off (40 ms a page otherwise)."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise BadConfiguration(
            f"web.host and web.port: {host} port {port} cannot be had ({error.strerror}); choose another port"
        ) from None
    return listener
