# SPDX-License-Identifier: AGPL-3.0-or-later
"""The page at the box itself, on loopback: what the running door says of itself, to be read and nothing else.

It shows a value that the loop swaps in and asks the loop for nothing, so nobody who reads can hold up a tap. It answers no
other host name: a web page elsewhere cannot make a browser at the box read it.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from socketserver import TCPServer
from threading import Thread
from typing import Any

import msgspec

from door_agent.errors import DoorError
from door_agent.telling import Told, lines

_HOST = "127.0.0.1"
_READ_SECONDS = 2.0
_DOCUMENT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5"><title>Door {door}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{{font:1rem/1.5 system-ui,sans-serif;margin:2rem auto;max-width:50rem;padding:0 1rem}}
th{{text-align:left;padding-right:1.5rem;vertical-align:top;font-weight:600}}td{{overflow-wrap:anywhere}}</style></head>
<body><h1>Door {door}</h1><table>{rows}</table></body></html>
"""
_NOTHING_YET = "The door is starting. Ask again in a second."


class Page:
    """Serves from a thread of its own. `show` puts the newest in place, from any thread, and never waits."""

    def __init__(self, port: int) -> None:
        """Raise OSError if the port is taken."""
        self._told: Told | None = None
        self._server = _Server((_HOST, port), lambda: self._told)
        Thread(target=self._server.serve_forever, name="page", daemon=True).start()

    def show(self, told: Told) -> None:
        self._told = told

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(HTTPServer):
    """One request at a time, each within two seconds: there is one caretaker."""

    def __init__(self, address: tuple[str, int], told: Callable[[], Told | None]) -> None:
        self.told = told
        super().__init__(address, _Answer)

    def server_bind(self) -> None:
        """Bind, and look no name up: without network that takes long."""
        TCPServer.server_bind(self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hung up too soon is nobody's business."""


class _Answer(BaseHTTPRequestHandler):
    timeout = _READ_SECONDS
    server: _Server

    def do_GET(self) -> None:
        told = self.server.told()
        if not _is_loopback(self.headers.get("Host", "")):
            self._say(HTTPStatus.MISDIRECTED_REQUEST, "text/plain", "This page is for whoever stands at the box: 127.0.0.1")
        elif self.path not in ("/", "/status.json"):
            self._say(HTTPStatus.NOT_FOUND, "text/plain", "There is / and /status.json")
        elif told is None:
            self._say(HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", _NOTHING_YET)
        elif self.path == "/":
            self._say(HTTPStatus.OK, "text/html", _document(told))
        else:
            self._say(HTTPStatus.OK, "application/json", as_json(told))

    def _say(self, status: HTTPStatus, kind: str, content: str) -> None:
        body = content.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        return "door-agent"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Reading leaves no trace in the door's log."""


def _is_loopback(host: str) -> bool:
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    try:
        return ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return name == "localhost"


def _document(told: Told) -> str:
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(said)}</td></tr>\n" for name, said in lines(told))
    return _DOCUMENT.format(door=escape(told.door), rows=rows)


def as_json(told: Told) -> str:
    return msgspec.json.encode(told).decode()


def asked(port: int) -> Told:
    """Return what the door that runs here says of itself. Raise DoorError with what to do."""
    if port == 0:
        raise DoorError("status_port is 0, which switches the local page off; set it to a free port, 8631 by default")
    connection = HTTPConnection(_HOST, port, timeout=_READ_SECONDS)
    try:
        connection.request("GET", "/status.json")
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, HTTPException):
        raise DoorError(
            f"the agent does not answer at {_HOST}:{port}: it does not run, or has only just started;"
            " `systemctl status door-agent` says which, `sudo systemctl start door-agent` starts it"
        ) from None
    finally:
        connection.close()
    if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
        raise DoorError(_NOTHING_YET)
    try:
        return msgspec.json.decode(content, type=Told)
    except msgspec.DecodeError:
        raise DoorError(f"at {_HOST}:{port} something else answers than this version of the agent; set status_port") from None
