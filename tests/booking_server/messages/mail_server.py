# SPDX-License-Identifier: AGPL-3.0-or-later
"""A mail server on a free loopback port that speaks SMTP over real sockets, and misbehaves as a test asks it to."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass(slots=True)
class MailServer:
    """What it took, and how it answers. `recipients` names addresses that it refuses, `said_to_data` what it says at the end.

    `cut` closes the line that many times after a whole mail has come, without a word. With `held`, it says nothing to a whole
    mail until that is set; `came` tells that one is there.
    """

    recipients: dict[str, str] = field(default_factory=dict)
    said_to_data: str = "250 2.0.0 taken"
    cut: int = 0
    password: tuple[str, str] | None = None
    tls: ssl.SSLContext | None = None
    tls_at_once: bool = False
    held: threading.Event | None = None
    came: threading.Event = field(default_factory=threading.Event)
    taken: list[bytes] = field(default_factory=list)
    whole: list[bytes] = field(default_factory=list)
    port: int = 0
    _open: list[socket.socket] = field(default_factory=list)

    def mails(self) -> list[EmailMessage]:
        """The mails that it said yes to."""
        return [_parsed(content) for content in self.taken]

    def serve(self, listening: socket.socket) -> None:
        """Take every line in a thread of its own until the socket is closed."""
        with suppress(OSError):
            while True:
                line, _ = listening.accept()
                self._open.append(line)
                threading.Thread(target=self._speak, args=(line,), daemon=True).start()

    def hang_up(self) -> None:
        for line in self._open:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()

    def _speak(self, line: socket.socket) -> None:
        with suppress(OSError):
            if self.tls is not None and self.tls_at_once:
                line = self.tls.wrap_socket(line, server_side=True)
                self._open.append(line)
            _Talk(self, line).go()


class _Talk:
    """One session."""

    def __init__(self, server: MailServer, line: socket.socket) -> None:
        self._server, self._line, self._file = server, line, line.makefile("rb")
        self._recipient = ""

    def go(self) -> None:
        self._say("220 mail.test ready")
        while words := self._file.readline():
            verb, _, rest = words.decode("latin-1").strip().partition(" ")
            if not getattr(self, f"_{verb.lower()}", self._other)(rest):
                break
        self._file.close()
        self._line.close()

    def _say(self, *lines: str) -> bool:
        self._line.sendall("".join(f"{line}\r\n" for line in lines).encode())
        return True

    def _ehlo(self, _rest: str) -> bool:
        offers = ["mail.test"]
        if self._server.tls is not None and not isinstance(self._line, ssl.SSLSocket):
            offers.append("STARTTLS")
        if self._server.password is not None:
            offers.append("AUTH PLAIN")
        return self._say(*(f"250-{offer}" for offer in offers[:-1]), f"250 {offers[-1]}")

    def _starttls(self, _rest: str) -> bool:
        if self._server.tls is None:
            return self._say("502 no")
        self._say("220 go ahead")
        self._line = self._server.tls.wrap_socket(self._line, server_side=True)
        self._server._open.append(self._line)
        self._file = self._line.makefile("rb")
        return True

    def _auth(self, rest: str) -> bool:
        _, user, password = base64.b64decode(rest.split()[-1]).decode().split("\0")
        return self._say("235 welcome" if (user, password) == self._server.password else "535 5.7.8 no such user or password")

    def _rcpt(self, rest: str) -> bool:
        self._recipient = rest.partition("<")[2].partition(">")[0]
        return self._say(self._server.recipients.get(self._recipient, "250 fine"))

    def _data(self, _rest: str) -> bool:
        self._say("354 go on")
        content = b""
        while (one := self._file.readline()) != b".\r\n":
            if not one:
                return False
            content += one.removeprefix(b".") if one.startswith(b"..") else one
        self._server.whole.append(content)
        self._server.came.set()
        if self._server.held is not None:
            self._server.held.wait(30)
        if self._server.cut:
            self._server.cut -= 1
            return False
        if self._server.said_to_data.startswith("2"):
            self._server.taken.append(content)
        return self._say(self._server.said_to_data)

    def _quit(self, _rest: str) -> bool:
        self._say("221 bye")
        return False

    def _other(self, _rest: str) -> bool:
        return self._say("250 fine")


@contextmanager
def mail_server(host: str = "127.0.0.1", **how: object) -> Iterator[MailServer]:
    """Run one that answers so, at a loopback address."""
    server = MailServer(**how)  # type: ignore[arg-type]
    listening = socket.create_server((host, 0))
    server.port = listening.getsockname()[1]
    thread = threading.Thread(target=server.serve, args=(listening,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        if server.held is not None:
            server.held.set()
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        server.hang_up()
        thread.join(5)


def _parsed(content: bytes) -> EmailMessage:
    found = message_from_bytes(content, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found
