# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does `booking-server mail` lose nothing when it is killed, send nothing twice when two run, and say plainly what is wrong?"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select

from booking_server.cli import main
from booking_server.clock import SystemClock
from booking_server.db import Database
from booking_server.messages import service
from booking_server.messages.outbox import CLAIM
from booking_server.messages.rules import Kind, Recipient
from booking_server.messages.tables import messages
from tests.booking_server.messages.mail_server import MailServer, mail_server
from tests.system.processes import Child, Processes, free_port, wait_for
from tests.system.settings_file import write_settings

SERVER = Path(sys.executable).with_name("booking-server")


def written(at: Path, *, url: str = "sqlite:////nowhere", **mail: object) -> Path:
    """Write a demo's settings with this [mail], and return the file. No test mail needs a database."""
    (at / "clock").write_text("0", encoding="ascii")
    settings = {
        "database": url,
        "state_folder": str(at),
        "demo": True,
        "simulated": {"clock": str(at / "clock")},
        "mail": {"server": "127.0.0.1", "security": "none", "sender": "hub@example.org", **mail},
    }
    write_settings(at / "server.toml", settings)
    return at / "server.toml"


class Post:
    """A hub's mail processes, over one database, with a clock that the test turns."""

    def __init__(self, folder: Path, url: str, processes: Processes) -> None:
        self._folder, self._processes, self._url = folder, processes, url
        self.database, self._started = Database(url), 0

    def write(self, **mail: object) -> None:
        written(self._folder, url=self._url, **mail)

    def turn(self, seconds: float) -> None:
        file = self._folder / "clock.new"
        file.write_text(str(seconds), encoding="ascii")
        file.replace(self._folder / "clock")

    def start(self) -> Child:
        self._started += 1
        child = self._processes.start(f"mail-{self._started}", [SERVER, "--config", self._folder / "server.toml", "mail"])
        child.wait_until(lambda: '"ready"' in child.said())
        return child

    def put(self, count: int) -> None:
        with self.database.write() as tx:
            for number in range(count):
                to = Recipient(address=f"reader{number}@example.org")
                service.put(tx, now=SystemClock().now(), kind=Kind.TEST, to=to, key=str(number))

    def count(self, state: str) -> int:
        with self.database.read() as tx:
            wanted = select(func.count()).select_from(messages).where(messages.c.state == state)
            return int(tx.execute(wanted).scalar_one())


@pytest.fixture
def post(database_url: str, tmp_path: Path) -> Iterator[Post]:
    with Processes(tmp_path / "logs") as processes:
        made = Post(tmp_path, database_url, processes)
        yield made
        made.database.close()


def ids(server: MailServer) -> Counter[bytes]:
    return Counter(line for content in server.whole for line in content.splitlines() if line.startswith(b"Message-ID:"))


def test_killed_while_it_sends_nothing_is_lost(post: Post) -> None:
    """Killed before the server's yes came: when the claim has run out another sends it, under the same id; the rest at once."""
    with mail_server(held=threading.Event()) as server:
        post.write(port=server.port)
        post.put(3)
        first = post.start()
        assert server.came.wait(20)
        first.kill()
        assert (post.count("sending"), post.count("waiting")) == (1, 2)
        assert server.held is not None
        server.held.set()
        second = post.start()
        wait_for(lambda: post.count("sent") == 2, "what was not being sent is sent by the next")
        assert post.count("sending") == 1
        post.turn(CLAIM.total_seconds() + 1)
        wait_for(lambda: post.count("sent") == 3, "what was being sent is sent again")
        assert sorted(ids(server).values()) == [1, 1, 2]
        assert second.stop() == 0
        assert "example.org" not in first.said() + second.said()


def test_two_at_once_send_nothing_twice(post: Post) -> None:
    """Both are busy with the same outbox; every message leaves once."""
    with mail_server() as server:
        post.write(port=server.port)
        children = [post.start(), post.start()]
        post.put(40)
        wait_for(lambda: post.count("sent") == 40, "all forty are sent", limit_seconds=30)
        assert [child.stop() for child in children] == [0, 0]
        assert (len(ids(server)), set(ids(server).values())) == (40, {1})


def asked(settings: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["--config", str(settings), "mail", "test", *words])
    return done.exit_code, done.output.strip()


def test_a_test_mail_leaves_at_once_and_says_what_became_of_it(tmp_path: Path) -> None:
    """Past the outbox: taken, refused, put off, or nobody there: one line, and for a script the exit code."""
    with mail_server(recipients={"no@example.org": "550 5.1.1 no such user", "busy@example.org": "450 busy"}) as server:
        settings = written(tmp_path, port=server.port)
        code, said = asked(settings, "aino@example.org", "--language", "sv")
        assert (code, said) == (0, "sent to aino@example.org by way of 127.0.0.1, which took it; look whether it arrives")
        assert server.mails()[0]["Subject"] == "Testmeddelande"
        assert asked(settings, "no@example.org") == (
            1, "Error: not sent: the address was refused for good; correct it, then send again: 550 5.1.1 no such user",
        )  # fmt: skip
        assert asked(settings, "busy@example.org") == (1, "Error: not sent: the mail server 127.0.0.1 wants it later: 450 busy")
    settings = written(tmp_path, port=free_port())
    code, said = asked(settings, "aino@example.org")
    assert (code, said.count("\n")) == (1, 0)
    assert "the mail server 127.0.0.1 cannot be reached or broke off; check [mail] server and port, and the network" in said


@pytest.mark.parametrize(
    ("mail", "said"),
    [
        ({"folder": "/x"}, "mail.server and mail.folder are both set; allowed is one of the two, or neither"),
        ({"sender": ""}, "mail.sender is missing; give the address that mails come from, like hub@example.org"),
        ({"sender": "hub"}, "mail.sender is 'hub'; allowed is an address like hub@example.org"),
        ({"server": "mail.example.org"}, "mail.security is 'none' with the server 'mail.example.org'; beyond this machine"),
        ({"user": "hub"}, "mail.password_file is missing; user and password_file are set both, or neither"),
        ({"user": "hub", "password_file": "/nowhere"}, "mail.password_file is '/nowhere', which cannot be read (No such file"),
    ],
)
def test_settings_that_cannot_be_are_told_in_one_line(tmp_path: Path, mail: dict[str, str], said: str) -> None:
    """File, key, value and what is allowed; nothing is tried."""
    settings = written(tmp_path, **mail)
    code, line = asked(settings, "aino@example.org")
    assert (code, line.count("\n")) == (1, 0)
    assert said in line
