# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is each trouble of a server named once, in the right place, with what to do; and a well server left in peace?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from booking_server.config import Backup, Config, Mail, Web
from booking_server.doctor.facts import (
    Asked,
    BackupFact,
    CertificateFact,
    DatabaseFact,
    DoorFact,
    Facts,
    FileFact,
    Outbox,
    ProcessFact,
    Room,
    UnitFact,
)
from booking_server.doctor.finding import Finding, Level, exit_code
from booking_server.doctor.rules import judged

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
CONFIG = Config(
    database="sqlite:////var/lib/hubkey/hub.sqlite",
    state_folder="/var/lib/hubkey",
    web=Web(address="https://hub.example.org"),
    mail=Mail(server="mail.example.org", sender="hub@example.org"),
    backup=Backup(recipient="age1x", folder="/mnt/backup"),
)
PAGES = CertificateFact(name="pages", ends=NOW + timedelta(days=60), names=("hub.example.org",))
FOLDER = FileFact(path="/var/lib/hubkey", mode=0o700, owner="hubkey", secret=True, inside=True)
KEY = FileFact(path="/var/lib/hubkey/keys/vault.key", mode=0o600, owner="hubkey", secret=True, inside=True)
ROOM = Room(
    what="state_folder",
    folder="/var/lib/hubkey",
    free_bytes=20 * 10**9,
    bytes=30 * 10**9,
    free_files=10**6,
    files=2 * 10**6,
    read_only=False,
)
DATABASE = DatabaseFact(
    where="/var/lib/hubkey/hub.sqlite",
    revision="0018",
    head="0018",
    bytes=10**7,
    wal_bytes=10**6,
    newest_at=NOW - timedelta(seconds=3),
    doors=(DoorFact(id="front", online=True, changed_at=NOW - timedelta(days=2), version="0.2.0"),),
    outbox=Outbox(waiting=0, oldest_at=None, trouble_since=None),
)
WELL = Facts(
    config=CONFIG,
    now=NOW,
    machine_now=NOW,
    is_synced=True,
    database=DATABASE,
    broker_runs=True,
    broker=Asked(address="hub.example.org:8883"),
    web=Asked(address="http://127.0.0.1:8080"),
    origin=Asked(address="https://hub.example.org", certificate=PAGES),
    mail=Asked(address="mail.example.org:587"),
    certificates=tuple(
        CertificateFact(name=name, ends=NOW + timedelta(days=9000)) for name in ("authority", "broker", "server-doors-1")
    ),
    door_certificates=(CertificateFact(name="front", ends=NOW + timedelta(days=60)),),
    rooms=(ROOM,),
    folder=FOLDER,
    files=(KEY,),
    backup=BackupFact(at=NOW - timedelta(hours=9), file="/mnt/backup/hubkey.age", is_there=True),
    units=(UnitFact(name="booking-server-web.service", active="active", enabled="enabled"),),
    processes=(ProcessFact(command="web", pid=7, since=NOW),),
    version="0.2.0",
    installed_at=NOW - timedelta(days=1),
)
Change = Callable[[Facts], Facts]


def _with(**changed: object) -> Change:
    return lambda facts: replace(facts, **changed)  # type: ignore[arg-type]


def _database(**changed: object) -> Change:
    return lambda facts: replace(facts, database=replace(facts.database, **changed))  # type: ignore[arg-type]


def _settings(**changed: object) -> Change:
    return lambda facts: replace(facts, config=msgspec.structs.replace(facts.config, **changed))


def _room(**changed: object) -> Change:
    return lambda facts: replace(facts, rooms=(replace(ROOM, **changed),))  # type: ignore[arg-type]


AGO = NOW - timedelta(hours=3)
TROUBLES: list[tuple[str, Level, str, str, Change]] = [
    ("state folder", Level.FAULT, "by others", "chmod 700", _with(folder=replace(FOLDER, mode=0o755))),
    ("state folder", Level.FAULT, "not there", "booking-server init", _with(folder=None)),
    ("state folder", Level.FAULT, "vault.key", "chown -R hubkey:", _with(files=(replace(KEY, owner="root"),))),
    ("secrets", Level.FAULT, "vault.key", "chmod 600", _with(files=(replace(KEY, mode=0o640),))),
    ("settings", Level.FAULT, "mail.password_file", "correct", _with(missing=("mail.password_file is '/x'",))),
    ("keys", Level.FAULT, "vault.key", "put them back", _with(keys="/var/lib/hubkey/keys/vault.key: cannot be read")),
    ("clock", Level.FAULT, "already knows", "timedatectl", _with(now=NOW - timedelta(minutes=2))),
    ("clock", Level.WARNING, "nothing keeps it in step", "systemd-timesyncd", _with(is_synced=False)),
    ("disk", Level.FAULT, "nothing can be stored", "free space", _room(free_bytes=50 * 10**6)),
    ("disk", Level.WARNING, "MB free", "free space", _room(free_bytes=400 * 10**6)),
    ("disk", Level.WARNING, "files", "small files", _room(free_files=100)),
    ("disk", Level.FAULT, "read-only", "dmesg", _room(read_only=True)),
    ("database", Level.FAULT, "connection refused", "`database`", _database(trouble="connection refused")),
    ("database", Level.FAULT, "damaged", "restore the last backup", _database(damage="Page 7: never used")),
    ("database", Level.FAULT, "no tables", "database upgrade", _database(revision=None)),
    ("database", Level.FAULT, "older version (0011)", "booking-server database upgrade", _database(revision="0011")),
    ("database", Level.FAULT, "newer version (0099)", "install the version", _database(revision="0099", is_known=False)),
    ("database", Level.WARNING, "not yet brought into it", "restart", _database(wal_bytes=10**9)),
    (
        "certificates",
        Level.FAULT,
        "not for hub.example.org",
        "web.address",
        _with(origin=Asked(address="x", certificate=replace(PAGES, names=("other.org",)))),
    ),
    (
        "certificates",
        Level.WARNING,
        "pages ends on",
        "Caddy",
        _with(origin=Asked(address="x", certificate=replace(PAGES, ends=NOW + timedelta(days=3)))),
    ),
    (
        "certificates",
        Level.FAULT,
        "pages ended on",
        "Caddy",
        _with(origin=Asked(address="x", certificate=replace(PAGES, ends=AGO))),
    ),
    ("certificates", Level.FAULT, "authority is not there", "init", _with(certificates=WELL.certificates[1:])),
    (
        "certificates",
        Level.WARNING,
        "broker ends",
        "broker write",
        _with(certificates=(*WELL.certificates[::2], CertificateFact(name="broker", ends=NOW + timedelta(days=9)))),
    ),
    (
        "certificates",
        Level.WARNING,
        "front (2026-11-25)",
        "door-agent enrol",
        _with(door_certificates=(CertificateFact(name="front", ends=NOW + timedelta(days=1)),)),
    ),
    (
        "units",
        Level.FAULT,
        "web.service is failed",
        "journalctl",
        _with(units=(UnitFact(name="booking-server-web.service", active="failed", enabled="enabled"),)),
    ),
    (
        "units",
        Level.WARNING,
        "does not start",
        "enable --now",
        _with(units=(UnitFact(name="booking-server-web.service", active="active", enabled="disabled"),)),
    ),
    (
        "broker",
        Level.FAULT,
        "does not run",
        "restart booking-server-broker",
        _with(broker=Asked(address="x", trouble="refused"), broker_runs=False),
    ),
    ("broker", Level.FAULT, "not for x", "enrol again", _with(broker=Asked(address="x", trouble="mismatch", wrong_name=True))),
    (
        "broker",
        Level.FAULT,
        "it refuses",
        "broker write",
        _with(broker=Asked(address="x", trouble="it refuses this server's certificate")),
    ),
    ("web", Level.FAULT, "refused", "restart booking-server-web", _with(web=Asked(address="x", trouble="refused"))),
    (
        "web",
        Level.FAULT,
        "not at https://hub",
        "Caddy",
        _with(origin=Asked(address="https://hub", trouble="refused", certificate=PAGES)),
    ),
    (
        "mail",
        Level.WARNING,
        "mail.server is not set",
        "set mail.server",
        lambda facts: _settings(mail=Mail())(replace(facts, mail=None)),
    ),
    ("mail", Level.FAULT, "mail.sender", "set mail.sender", _settings(mail=Mail(server="m"))),
    ("mail", Level.FAULT, "refuses mail.user", "[mail]", _with(mail=Asked(address="m", trouble="it refuses mail.user"))),
    (
        "mail",
        Level.WARNING,
        "taken no mail since",
        "outbox",
        _database(outbox=Outbox(waiting=4, oldest_at=AGO, trouble_since=AGO)),
    ),
    (
        "mail",
        Level.WARNING,
        "4 messages wait, the oldest",
        "restart",
        _database(outbox=Outbox(waiting=4, oldest_at=AGO, trouble_since=None)),
    ),
    ("backup", Level.WARNING, "none is made", "backup.recipient", _settings(backup=Backup())),
    ("backup", Level.WARNING, "none was ever made", "booking-server backup", _with(backup=None)),
    (
        "backup",
        Level.WARNING,
        "2 days ago",
        "journalctl",
        _with(backup=BackupFact(at=NOW - timedelta(days=2), file="f", is_there=True)),
    ),
    (
        "backup",
        Level.FAULT,
        "9 days ago",
        "journalctl",
        _with(backup=BackupFact(at=NOW - timedelta(days=9), file="f", is_there=True)),
    ),
    (
        "backup",
        Level.FAULT,
        "not there any more",
        "booking-server backup",
        _with(backup=BackupFact(at=AGO, file="f", is_there=False)),
    ),
    ("versions", Level.WARNING, "web still run", "restart booking-server-web", _with(installed_at=NOW + timedelta(minutes=1))),
    (
        "versions",
        Level.WARNING,
        "front are newer",
        "update the server",
        _database(doors=(DoorFact(id="front", online=True, version="0.10.0"),)),
    ),
    ("doors", Level.WARNING, "0 of 1", "broker", _database(doors=(DoorFact(id="front", online=False, changed_at=NOW),))),
    (
        "doors",
        Level.WARNING,
        "back since",
        "power",
        _database(doors=(*DATABASE.doors, DoorFact(id="back", online=False, changed_at=NOW - timedelta(days=3)))),
    ),
]


def _troubles(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.level in (Level.WARNING, Level.FAULT)]


def test_a_well_server_has_nothing_to_do() -> None:
    """Where all is well every line says ok, none asks for anything, and the command ends with 0."""
    found = judged(WELL)
    assert {finding.level for finding in found} == {Level.OK}, [str(one) for one in found if one.level is not Level.OK]
    assert not any(finding.to_do for finding in found)
    assert exit_code(found) == 0


@pytest.mark.parametrize(
    ("about", "level", "says", "to_do", "change"), TROUBLES, ids=[f"{row[0]}: {row[2]}" for row in TROUBLES]
)
def test_each_trouble_is_named_once_with_what_to_do(about: str, level: Level, says: str, to_do: str, change: Change) -> None:
    """One thing wrong is one finding, of the right weight, and its next step stands beside it."""
    found = _troubles(judged(change(WELL)))
    assert [(one.about, one.level) for one in found] == [(about, level)], [str(one) for one in found]
    assert says in found[0].says
    assert to_do in found[0].to_do
    assert exit_code(found) == (2 if level is Level.FAULT else 1)


def test_what_is_not_known_is_not_called_well() -> None:
    """Without systemd, a clock that tells or a door that was heard, the line says so, and nothing is to be done for it."""
    facts = replace(WELL, units=None, is_synced=None, database=replace(DATABASE, doors=(DoorFact(id="front"),), unlooked=True))
    found = {one.about: one for one in judged(facts)}
    assert {about for about, one in found.items() if one.level is Level.UNKNOWN} == {"units", "clock", "database", "doors"}
    assert exit_code(found.values()) == 0
