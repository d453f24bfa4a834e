# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does doctor see at a real broker, database and mail server what is wrong there, and leave everything as it was?"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from booking_server.broker import pki
from booking_server.broker.rereading import have_reread
from booking_server.broker.settings import write_broker, write_revocations
from booking_server.cli import main
from booking_server.clock import SystemClock
from booking_server.config import Broker, Config, Mail
from booking_server.doctor import asking, looking, stored
from booking_server.doctor.checks import checks
from booking_server.doctor.finding import Finding, Level
from booking_server.keys import make_keys
from tests.booking_server.messages.mail_server import mail_server
from tests.system import parts
from tests.system.building import SERVER
from tests.system.processes import Child, Processes, answers, free_port, wait_for
from tests.system.settings_file import write_settings


@dataclass
class Server:
    """A hub's state and database. `settings` is its file."""

    config: Config
    settings: Path

    def found(self, about: str, **changed: object) -> Finding:
        """Return what doctor finds about one thing, with some settings changed."""
        config = msgspec.structs.replace(self.config, **changed)
        [finding] = [one for one in checks(config, self.settings) if one.about == about]
        return finding

    def on_database(self, statement: str) -> None:
        with sqlite3.connect(self.config.database.removeprefix("sqlite:///")) as tx:
            tx.execute(statement)


@pytest.fixture
def server(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A server as `init` makes it; nothing of it runs."""
    folder = tmp_path_factory.mktemp("hub")
    database = f"sqlite:///{shutil.copy(sqlite_template, folder / 'hub.sqlite')}"
    (folder / "state").mkdir(mode=0o700)
    own = {"database": database, "state_folder": str(folder / "state"), "broker": {"port": free_port()}}
    write_settings(folder / "server.toml", own)
    config = msgspec.convert(own, Config)
    make_keys(config.folder)
    write_broker(config)
    return Server(config, folder / "server.toml")


@pytest.fixture
def broker(server: Server) -> Iterator[Child]:
    """The server's broker, running."""
    if parts.mosquitto() is None:
        pytest.skip(parts.missing("Mosquitto"))
    with Processes(server.settings.parent / "logs") as processes:
        running = processes.start("broker", [SERVER, "--config", server.settings, "broker", "run"])
        running.wait_until(lambda: answers(server.config.broker.port))
        yield running


def _state(folder: Path) -> dict[str, tuple[int, int, str]]:
    files = [file for file in sorted(folder.rglob("*")) if file.is_file() and file.suffix != ".log"]
    return {
        str(file): (file.stat().st_mode, file.stat().st_mtime_ns, hashlib.sha256(file.read_bytes()).hexdigest())
        for file in files
    }


def test_it_changes_nothing(server: Server, broker: Child) -> None:
    """Every file below state folder and database is as before, none is new, and the broker runs on."""
    before = _state(server.settings.parent)
    assert len(before) > 15
    checks(server.config, server.settings)
    assert _state(server.settings.parent) == before
    assert broker.running


def test_the_broker_is_seen_as_doors_see_it(server: Server, broker: Child) -> None:
    """It is well; not for a name that its certificate lacks; not once ours is taken back; not once it is gone."""
    assert server.found("broker").level is Level.OK
    other = msgspec.structs.replace(server.config.broker, known_as="hub.example.org")
    wrong = server.found("broker", broker=other)
    assert (wrong.level, "not for hub.example.org" in wrong.says) == (Level.FAULT, True), wrong
    pki.revoke(server.config.folder, server.config.broker.identity, now=SystemClock().now())
    write_revocations(server.config)
    have_reread(server.config)
    wait_for(lambda: asking.broker(server.config).trouble, "the broker refuses us")
    refused = server.found("broker")
    assert (refused.level, "refuse" in refused.says) == (Level.FAULT, True), refused
    broker.stop()
    gone = server.found("broker")
    assert (gone.level, "does not run" in gone.says) == (Level.FAULT, True), gone


def test_the_database_is_seen_as_it_is(server: Server) -> None:
    """Of this version it is well; of a newer, an older one or damaged it is named so, and a missing one is not made."""
    assert server.found("database").level is Level.OK
    server.on_database("update alembic_version set version_num = '9999'")
    assert "newer version (9999)" in server.found("database").says
    server.on_database("update alembic_version set version_num = '0011'")
    assert "older version (0011)" in server.found("database").says
    file = Path(server.config.database.removeprefix("sqlite:///"))
    with file.open("r+b") as damaged:
        damaged.seek(8 * 4096)
        damaged.write(os.urandom(20 * 4096))
    found = server.found("database")
    assert (found.level, "damaged" in found.says) == (Level.FAULT, True), found
    missing = server.found("database", database=f"{server.config.database}.gone")
    assert (missing.level, "there is none" in missing.says) == (Level.FAULT, True)
    assert not file.with_name("hub.sqlite.gone").exists()


def test_a_clock_behind_what_was_written_is_a_fault(server: Server) -> None:
    """An act in the audit that lies ahead of this machine's clock says that the clock is wrong."""
    ahead = (SystemClock().now() + timedelta(hours=2)).replace(tzinfo=None)
    row = f"values ('{ahead}', 'x', 'x', 'x', '{{}}')"
    server.on_database(f"insert into audit (at, actor, act, subject, detail) {row}")
    assert server.found("clock").level is Level.FAULT


def test_secrets_and_state_are_their_owner_s_alone(server: Server) -> None:
    """A key that others can read, or a folder that they may enter, is a fault with the line that closes it."""
    key = server.config.folder / "keys" / "vault.key"
    key.chmod(0o644)
    assert server.found("secrets").to_do == f"chmod 600 {key}"
    key.chmod(0o600)
    server.config.folder.chmod(0o755)
    assert server.found("state folder").to_do == f"chmod 700 {server.config.folder}"


def test_pages_that_nobody_serves_are_missed(server: Server) -> None:
    """No pages at web.port is a fault that says which unit to start."""
    found = server.found("web", web=msgspec.structs.replace(server.config.web, port=free_port()))
    assert (found.level, found.to_do) == (Level.FAULT, "systemctl restart booking-server-web")


def test_the_mail_server_is_signed_in_at_and_sent_nothing(server: Server, tmp_path: Path) -> None:
    """The right password is well and sends no mail; a wrong one, and a server that is away, are faults."""
    secret = tmp_path / "mail"
    secret.touch(mode=0o600)
    secret.write_text("open sesame", encoding="utf-8")
    with mail_server(password=("hub", "open sesame")) as post:
        mail = Mail(
            server="127.0.0.1", port=post.port, security="none", user="hub", password_file=str(secret), sender="hub@hub.example"
        )
        assert server.found("mail", mail=mail).level is Level.OK
        secret.write_text("wrong", encoding="utf-8")
        refused = server.found("mail", mail=mail)
        assert post.whole == []
    away = server.found("mail", mail=mail)
    assert [one.level for one in (refused, away)] == [Level.FAULT, Level.FAULT]
    assert refused.says != away.says


def test_the_last_backup_is_known_by_what_it_left(server: Server, tmp_path: Path) -> None:
    """What the backup wrote down says when; a file that is gone since is missed."""
    (tmp_path / "one.age").touch()
    record = {"at": "2026-11-24T02:30:00Z", "file": str(tmp_path / "one.age"), "bytes": 9}
    (server.config.folder / "backup.json").write_text(json.dumps(record), encoding="utf-8")
    found = looking.backup(server.config.folder)
    assert found is not None
    assert (found.at, found.is_there) == (datetime(2026, 11, 24, 2, 30, tzinfo=UTC), True)
    (tmp_path / "one.age").unlink()
    assert looking.backup(server.config.folder) != found


def test_settings_that_cannot_be_used_are_the_only_finding(server: Server) -> None:
    """The command names the line, as JSON too, and ends with 2."""
    server.settings.write_text('databas = "x"\n', encoding="utf-8")
    done = CliRunner().invoke(main, ["--config", str(server.settings), "doctor", "--json"])
    [found] = json.loads(done.output)
    assert (done.exit_code, found["level"], found["about"]) == (2, "fault", "settings")
    assert "databas" in found["says"]


def test_a_port_that_takes_the_line_and_says_nothing_is_not_waited_for_long() -> None:
    """A broker's port that answers nothing is named within seconds."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = Config(database="sqlite://", state_folder="/nowhere", broker=Broker(port=silent.getsockname()[1]))
        assert asking.broker(config).trouble is not None


def test_postgresql_is_looked_at_too(database_url: str) -> None:
    """On either database the tables' revision is read, nothing is written, and what is there is counted."""
    found = stored.database_fact(Config(database=database_url, state_folder="/nowhere"), SystemClock().now())
    assert (found.trouble, found.revision, found.is_known, found.doors) == (None, found.head, True, ())
    assert found.outbox is not None
