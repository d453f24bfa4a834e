# SPDX-License-Identifier: AGPL-3.0-or-later
"""A mail server on a loopback port that lets one user in and keeps what it is given (RFC 5321, and AUTH PLAIN of RFC 4954)."""

from __future__ import annotations

import base64
import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread

USER, PASSWORD = "hub", "let me in"


@dataclass
class Mailbox:
    """Where it listens, and the mails that it took, each as its lines."""

    port: int = 0
    mails: list[str] = field(default_factory=list)


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """Serve until the block ends."""
    kept = Mailbox()

    class Talk(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 here")
            signed_in = False
            while line := self.rfile.readline().decode().strip():
                word = line.split()[0].upper()
                if word == "EHLO":
                    self._say("250-here\r\n250 AUTH PLAIN")
                elif word == "AUTH":
                    signed_in = base64.b64decode(line.split()[2]) == f"\0{USER}\0{PASSWORD}".encode()
                    self._say("235 welcome" if signed_in else "535 wrong user name or password")
                elif word == "DATA":
                    self._take()
                elif word == "QUIT":
                    self._say("221 bye")
                    return
                else:
                    self._say("250 well" if signed_in else "530 sign in first")

        def _take(self) -> None:
            self._say("354 go on")
            lines = []
            while (line := self.rfile.readline().decode()) != ".\r\n":
                lines.append(line)
            kept.mails.append("".join(lines))
            self._say("250 taken")

        def _say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Talk) as server:
        kept.port = server.server_address[1]
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield kept
        server.shutdown()
        thread.join()
