# SPDX-License-Identifier: AGPL-3.0-or-later
"""Law 9: what would somebody find who carries away the whole database, or a door?"""

import base64
from pathlib import Path

import pytest

from access_contract.snapshot import decode, unpack
from access_contract.vocabulary import TagNumber, tag_hash
from booking_server.access.index import build
from booking_server.access.snapshots import snapshot_of
from booking_server.actors import Actor
from booking_server.db import Database
from booking_server.doors import commands
from booking_server.doors import service as doors
from booking_server.people import service as people
from tests.booking_server.hub import HOST, NOW, OTHER_TAG, PASSWORD, TAG, Hub
from tests.system.postgres import Cluster

LOST, GUEST = TagNumber.parse("04 A1 B2 C3 D4 E5 F6"), TagNumber.parse("9A 8B 7C 6D")
ALL_TAGS = (TAG, OTHER_TAG, LOST, GUEST)


@pytest.fixture
def used(hub: Hub, member: Actor) -> Hub:
    """The hub in use: tags handed out, blocked, and one tapped for a capture; Ville, suspended, holds one too."""
    hub.desk.tag(hub.aino, TAG)
    hub.desk.tag(hub.ville, OTHER_TAG)
    hub.desk.block(hub.desk.tag(hub.aino, LOST))
    for person in (hub.aino, hub.ville):
        hub.desk.grant(person, hub.room, from_day=NOW.date())
    hub.desk.door("late", "Late", leads_into=hub.room)
    with hub.desk.database.write() as tx:
        people.suspend_person(tx, HOST, now=NOW, person_id=hub.ville)
        asked = commands.ask_capture(tx, HOST, now=NOW, door_id="lobby")
        vault = hub.desk.keys.vault
        commands.captured(tx, now=NOW, vault=vault, door_id="lobby", capture_id=asked.command, number=GUEST)
        assert commands.captured_number(tx, vault, asked.command) == GUEST
    return hub


def _whole(database: Database, request: pytest.FixtureRequest) -> bytes:
    """Every byte that is stored: the files of SQLite, the dump of PostgreSQL."""
    name = str(database.engine.url.database)
    if database.is_sqlite:
        return b"".join(file.read_bytes() for file in sorted(Path(name).parent.glob(f"{Path(name).name}*")))
    postgres: Cluster = request.getfixturevalue("postgres")
    return postgres.dump(name)


def _written(number: TagNumber) -> set[bytes]:
    """The ways in which a number might stand somewhere, forwards and backwards."""
    found = set()
    for uid in (number.uid, number.uid[::-1]):
        digits = uid.hex()
        texts = {digits, " ".join(f"{byte:02x}" for byte in uid), ":".join(f"{byte:02x}" for byte in uid)}
        found |= {uid, base64.b64encode(uid).rstrip(b"="), str(int.from_bytes(uid)).encode()}
        found |= {text.encode() for text in texts} | {text.upper().encode() for text in texts}
        found.add(digits.encode().hex().encode())
    return found


def test_no_tag_number_and_no_password_stands_in_the_database(used: Hub, request: pytest.FixtureRequest) -> None:
    """In no spelling, in no table, index or left-over page; the same search does find what is there."""
    kept = _whole(used.desk.database, request)
    for number in ALL_TAGS:
        for spelling in _written(number):
            assert spelling not in kept, f"…{number.last_digits} stands there as {spelling!r}"
    assert PASSWORD.encode() not in kept
    for there in (b"Aino Virtanen", b"1D80", used.desk.keys.vault.index(TAG).encode()):
        assert there in kept


def test_no_key_stands_in_the_database(used: Hub, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Neither the server's own keys nor the doors' tag keys, under which a list of numbers could be tried."""
    kept = _whole(used.desk.database, request)
    with used.desk.database.read() as tx:
        keys = [*doors.tag_keys(tx, used.desk.keys.vault).values(), used.desk.keys.session_secret]
    keys += [file.read_bytes() for file in (tmp_path / "state" / "keys").iterdir()]
    assert len(keys) > len(ALL_TAGS)
    for key in keys:
        assert key not in kept
        assert key.hex().encode() not in kept.lower()
        assert base64.b64encode(key).rstrip(b"=") not in kept


def test_a_door_holds_no_name_and_only_the_tags_it_may_admit(used: Hub) -> None:
    """Not the blocked tag, not the suspended person's, nobody's name or e-mail; and no tag by another door's hash."""
    with used.desk.database.read() as tx:
        index, keys = build(tx, now=NOW), doors.tag_keys(tx, used.desk.keys.vault)
    assert set(index) == {"lobby", "room", "late"}
    for door, rights in index.items():
        content = unpack(snapshot_of(rights).content)
        assert set(decode(content).tags) == {tag_hash(keys[door], TAG)}
        for number in ALL_TAGS:
            assert not any(spelling in content for spelling in _written(number))
        for word in (b"Aino", b"Virtanen", b"Ville", b"example.org", b"person"):
            assert word not in content
