# SPDX-License-Identifier: AGPL-3.0-or-later
"""A post office: the hub of the other tests, its outbox, and a mail server over a real socket."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from booking_server.config import Config, Mail
from booking_server.db import Database
from booking_server.messages.posting import Post
from booking_server.messages.tables import messages
from tests.booking_server.hub import NOW, Hub
from tests.booking_server.messages.mail_server import MailServer, mail_server


@dataclass(slots=True)
class Turned:
    """A clock that shows what it was set to."""

    at: datetime = NOW

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return 0.0


@dataclass(slots=True)
class Office:
    """One process's post, at a time that the test sets."""

    hub: Hub
    config: Config
    clock: Turned
    post: Post

    @property
    def database(self) -> Database:
        return self.hub.desk.database

    def with_mail(self, **mail: Any) -> Office:
        """The same with other settings of [mail], as after a start anew."""
        config = replace_mail(self.config, **mail)
        return replace(self, config=config, post=Post(config, self.database, self.clock, lambda: False))

    def look(self, *, after: timedelta = timedelta(0)) -> None:
        self.clock.at += after
        self.post.look()

    def rows(self) -> list[Any]:
        with self.database.read() as tx:
            return list(tx.execute(select(messages).order_by(messages.c.id)))


def replace_mail(config: Config, **mail: Any) -> Config:
    from msgspec import structs

    return structs.replace(config, mail=structs.replace(config.mail, **mail))


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


@pytest.fixture
def office(hub: Hub, server: MailServer, tmp_path: Path) -> Office:
    clock = Turned()
    config = Config(
        database="",
        state_folder=str(tmp_path),
        name="Omnia Hub",
        mail=Mail(server="127.0.0.1", port=server.port, security="none", sender="hub@example.org"),
    )
    return Office(hub, config, clock, Post(config, hub.desk.database, clock, lambda: False))
