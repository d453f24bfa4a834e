# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does the process that speaks with the doors answer right, tell of changes at once, and neither lose nor repeat anything?

On the real broker, on SQLite and PostgreSQL, with doors made of the contract alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select, text

from access_contract.entries import Outcome
from access_contract.messages import (
    MESSAGE_BYTES_MAX,
    Acknowledgement,
    Answer,
    Capture,
    Captured,
    Closed,
    CommandDone,
    Events,
    Open,
    Passed,
    Request,
    SnapshotCurrent,
    SnapshotPart,
    Tapped,
)
from access_contract.snapshot import Snapshot
from access_contract.topics import ROOT
from access_contract.vocabulary import Reason, TagNumber, tag_hash
from booking_server.db import Database
from booking_server.doors import commands
from booking_server.doors import service as doors
from booking_server.doors.process import UPKEEP_SECONDS
from booking_server.keys import make_keys
from booking_server.ledger.tables import counters, entries, events, taps
from tests.booking_server.doors.fake_door import IN, FakeDoor
from tests.booking_server.doors.server import Server
from tests.booking_server.hub import HOST, OTHER_TAG, TAG, Hub
from tests.system import parts
from tests.system.desk import Desk
from tests.system.processes import Child, Processes, wait_for
from tests.system.turned_clock import ClockHand

ENOUGH_SECONDS = 1.0
BUGS = ("Traceback", "by_a_bug")
"""Well under a second is the aim; the rest is for a busy machine."""
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""Where the engine makes no difference."""
STRANGER = TagNumber.parse("04 78 2E 21 80 1D 82")
MakeDoor = Callable[[str], FakeDoor]


@pytest.fixture
def hand(tmp_path: Path) -> ClockHand:
    return ClockHand(tmp_path / "clock")


@pytest.fixture
def desk(database: Database, tmp_path: Path, hand: ClockHand) -> Desk:
    return Desk(database, make_keys(tmp_path / "state"), hand.clock)


@pytest.fixture
def server(tmp_path: Path, database_url: str) -> Iterator[Server]:
    """A broker that runs, and the process still to be started: a real hub, not a demo."""
    if parts.mosquitto() is None:
        pytest.skip(parts.missing("Mosquitto"))
    with Processes(tmp_path / "logs") as processes:
        server = Server(tmp_path, processes, database_url)
        server.start_broker()
        yield server


@pytest.fixture
def door(server: Server, hub: Hub) -> MakeDoor:
    return lambda door_id: FakeDoor(door_id, server.port, server.identity, hub.desk.keys)


def today(hub: Hub) -> date:
    return hub.desk.clock.now().date()


def test_an_ask_is_answered_right_and_a_change_is_known_within_a_second(server: Server, hub: Hub, door: MakeDoor) -> None:
    """A new grant is pushed to the door and its ask granted; a blocked tag leaves the door and is refused by name."""
    keytag = hub.desk.tag(hub.aino, TAG)
    hub.desk.grant(hub.aino, hub.site, from_day=today(hub) - timedelta(days=1))
    server.start()
    with door("room") as room:
        room.report()
        granted, stranger = room.ask(TAG), room.ask(STRANGER)
        assert (granted.granted, granted.cause, stranger.reason) == (True, "grant:1", Reason.TAG_UNKNOWN)
        assert wait_for(room.snapshot, "a door that holds nothing is sent its snapshot")[0].door == "room"

        hub.desk.tag(hub.ville, OTHER_TAG)
        assert room.ask(OTHER_TAG).reason == Reason.TAG_UNKNOWN
        hub.desk.grant(hub.ville, hub.room, from_day=today(hub))
        wait_for(lambda: knows(room, hub, OTHER_TAG), "the grant is pushed", limit_seconds=ENOUGH_SECONDS)
        told = room.ask(OTHER_TAG)
        assert (told.granted, told.cause) == (True, "grant:2")
        assert told.known > granted.known

        hub.desk.block(keytag)
        wait_for(lambda: not knows(room, hub, TAG), "the tag is gone", limit_seconds=ENOUGH_SECONDS)
        assert room.ask(TAG).reason == Reason.TAG_BLOCKED


def knows(door: FakeDoor, hub: Hub, number: TagNumber) -> bool:
    """Whether the last snapshot that the door was sent admits a tag."""
    with hub.desk.database.read() as tx:
        key = doors.tag_key(tx, hub.desk.keys.vault, door.id)
    found = door.snapshot()
    return found is not None and tag_hash(key, number) in found[0].tags


@ON_SQLITE
def test_a_door_that_holds_its_snapshot_is_sent_nothing(server: Server, hub: Hub, door: MakeDoor) -> None:
    """Not after a change that concerns another door, and not after the server was started anew."""
    hub.desk.tag(hub.aino, TAG)
    hub.desk.grant(hub.aino, hub.room, from_day=today(hub))
    process = server.start()
    with door("lobby") as lobby:
        lobby.say("request", Request())
        held, digest = wait_for(lobby.snapshot, "the snapshot that was asked for")
        lobby.report(snapshot_number=held.number, snapshot_digest=digest)
        hub.desk.door("shed", "Shed", leads_into=hub.site)
        wait_for(lambda: lobby.ask(TAG).known > held.number // 1_000_000, "the server knows of the new door")
        lobby.say("request", Request(digest=digest))
        wait_for(lambda: lobby.of(SnapshotCurrent), "it is the current one")
        server.kill(process)
        server.start()
        lobby.report(snapshot_number=held.number, snapshot_digest=digest)
        lobby.say("request", Request(digest=digest))
        wait_for(lambda: len(lobby.of(SnapshotCurrent)) == 2, "it still is")
        assert len(lobby.of(SnapshotPart)) == 1


@ON_SQLITE
def test_events_count_once_however_often_they_come(server: Server, hub: Hub, door: MakeDoor) -> None:
    """A tap and its entry, sent three times, are one tap and one entry of the person who holds the tag; each time is said."""
    hub.desk.tag(hub.aino, TAG)
    server.start()
    with door("room") as room:
        written = tapped_and_entered(room, hub, TAG)
        for times in (1, 2, 3):
            room.send(*written)
            assert room.acknowledged(times).up_to == 2
    assert [(tap.granted, tap.outcome) for tap in hub.desk.taps()] == [(True, "entered")]
    made = [entry for month in months(hub) for entry in hub.desk.entries(month)]
    assert [(entry.person_id, entry.space_id, entry.simulated) for entry in made] == [(hub.aino, hub.room, False)]


@ON_SQLITE
def test_a_door_is_asked_for_what_it_holds_and_does_not_send(server: Server, hub: Hub, door: MakeDoor) -> None:
    """A door that tells twice of events which never came is told by number which ones, and what it then sends is stored."""
    server.start()
    with door("room") as room:
        written = [room.write(Closed()) for _ in range(5)]
        room.send(written[0], written[3])
        assert room.acknowledged().missing == [2, 3]
        room.report(journal=room.journal, last_sequence=5, acknowledged=1)
        wait_for(
            lambda: (
                len(room.of(Acknowledgement)) > 1 or room.report(journal=room.journal, last_sequence=5, acknowledged=1) == ""
            ),
            "the server asks",
            limit_seconds=30,
        )
        assert room.acknowledged(2).missing == [2, 3, 5]
        room.send(written[1], written[2], written[4])
        assert room.acknowledged(3) == Acknowledgement(journal=room.journal, up_to=5)


def tapped_and_entered(door: FakeDoor, hub: Hub, number: TagNumber, *, simulated: bool = False) -> tuple[bytes, bytes]:
    with hub.desk.database.read() as tx:
        key = doors.tag_key(tx, hub.desk.keys.vault, door.id)
    tap = Tapped(access_point=IN, tag=tag_hash(key, number), granted=True, cause="grant:1", simulated=simulated)
    return door.write(tap), door.write(Passed(tap=1, outcome=Outcome.ENTERED))


def months(hub: Hub) -> set[str]:
    now = hub.desk.clock.now()
    return {f"{at:%Y-%m}" for at in (now - timedelta(days=1), now, now + timedelta(days=1))}


def test_what_was_received_and_not_committed_is_sent_again_and_lost_nowhere(server: Server, hub: Hub, door: MakeDoor) -> None:
    """Killed while the database is held by another, the process has acknowledged nothing; asks are answered all the while."""
    hub.desk.tag(hub.aino, TAG)
    process = server.start()
    with door("room") as room:
        written = tapped_and_entered(room, hub, TAG)
        with hub.desk.database.write() as tx:
            if not hub.desk.database.is_sqlite:
                tx.execute(text("lock table events in access exclusive mode"))
            room.send(*written)
            assert room.ask(TAG).reason == Reason.TAG_UNKNOWN
            server.kill(process)
        assert [type(body) for body in room.heard] == [Answer]
        server.start()
        assert hub.desk.taps() == []
        room.send(*written)
        assert room.acknowledged().up_to == 2
    assert len(hub.desk.taps()) == 1


@ON_SQLITE
def test_what_a_simulated_door_says_is_kept_and_marked(server: Server, hub: Hub, door: MakeDoor) -> None:
    """In a real hub a simulated tap and its entry stand in the ledger as simulated, and so on no invoice."""
    hub.desk.tag(hub.aino, TAG)
    process = server.start()
    with door("room") as room:
        room.report(simulated=True)
        room.send(*tapped_and_entered(room, hub, TAG, simulated=True))
        room.acknowledged()
    wait_for(lambda: "simulated_door" in process.said(), "it is told")
    with hub.desk.database.read() as tx:
        assert tx.execute(select(taps.c.simulated)).scalars().all() == [True]
        assert tx.execute(select(entries.c.simulated)).scalars().all() == [True]


def test_bad_messages_are_counted_told_once_and_open_nothing(server: Server, hub: Hub, door: MakeDoor) -> None:
    """Malformed, oversized, unknown, replayed, misaddressed: each twice, and the process goes on."""
    process = server.start()
    with door("room") as room, door("lobby") as lobby, door("nobody") as nobody:
        stolen = room.write(Tapped(access_point=IN, tag=None, granted=True))
        room.send(stolen)
        room.ask(TAG, name="first")
        for _ in range(2):
            room.say("ask", b"{")
            room.say("ask", b" " * (MESSAGE_BYTES_MAX + 1))
            room.say("events", b'{"kind": "party", "v": 1}')
            room.say("ask", room.asking(TAG, "first"))
            room.say("ask", msgspec.structs.replace(lobby.asking(TAG, secrets.token_hex(8)), sealed=b"x" * 60))
            room.say("captured", Captured(capture="c", sealed=b"x" * 60))
            room.publish(f"{ROOT}/door/room/up/whatever", b"{}")
            room.say("events", Events(events=[msgspec.Raw(b'{"journal": "\\u0000"}')]))
            room.say("events", Events(events=[msgspec.Raw(stolen.replace(b'"sequence":1', b'"sequence":99999999999'))]))
            lobby.send(stolen)
            nobody.report()
            nobody.say("request", Request())
        expected = {
            ("malformed", "room"): 2,
            ("oversized", "room"): 2,
            ("unknown_kind", "room"): 2,
            ("replayed_ask", "room"): 2,
            ("unreadable_number", "room"): 4,
            ("unknown_topic", ""): 2,
            ("malformed_event", "room"): 4,
            ("misaddressed_event", "lobby"): 2,
            ("unknown_door", "nobody"): 4,
        }
        wait_for(lambda: counted(hub) == expected, f"all are counted, not {counted(hub)}")
        assert room.ask(TAG).reason == Reason.TAG_UNKNOWN
        assert not any(answer.granted for answer in room.of(Answer))
        assert len([a for a in room.of(Answer) if a.ask == "first"]) == 1
        assert nobody.heard == lobby.heard == []
    assert process.said().count('"replayed_ask"') == 1
    assert not any(word in process.said() for word in BUGS)
    with hub.desk.database.read() as tx:
        assert len(tx.execute(select(events.c.id)).all()) == 1


def counted(hub: Hub) -> dict[tuple[str, str], int]:
    with hub.desk.database.read() as tx:
        return {(row["name"], row["door_id"]): row["count"] for row in tx.execute(select(counters)).mappings()}


@ON_SQLITE
def test_a_command_goes_out_once_under_the_latest_nonce(server: Server, hub: Hub, door: MakeDoor) -> None:
    """A second one waits for the next nonce; what became of each is what the door's own word says, and nothing before."""
    server.start()
    with door("room") as room:
        nonce = room.report()
        wait_for(lambda: hub.desk.online("room"), "the door is online")
        first, second = hub.desk.open("room", "delivery"), hub.desk.open("room", "delivery again")
        wait_for(lambda: room.of(Open), "the first is sent", limit_seconds=ENOUGH_SECONDS)
        room.ask(TAG)
        assert [(sent.command, sent.nonce) for sent in room.of(Open)] == [(first, nonce)]
        assert hub.desk.outcome(first) is None
        room.send(room.write(CommandDone(command=first, did="open")))
        room.acknowledged()
        assert hub.desk.outcome(first) == commands.DONE
        later = room.report()
        wait_for(lambda: len(room.of(Open)) == 2, "the second is sent")
        assert [(sent.command, sent.nonce) for sent in room.of(Open)] == [(first, nonce), (second, later)]
        room.send(room.write(CommandDone(command=second, did="open", refusal="door_blocked")))
        room.acknowledged(2)
        assert hub.desk.outcome(second) == "door_blocked"


@ON_SQLITE
def test_a_command_that_waits_to_be_marked_as_sent_is_not_taken_twice(server: Server, hub: Hub, door: MakeDoor) -> None:
    """Not even if the door has a new nonce by then: while another holds the database, and afterwards, it goes out once."""
    server.start()
    with door("room") as room:
        with hub.desk.database.write() as tx:
            asked = commands.ask_open(tx, HOST, now=hub.desk.clock.now(), door_id="room", reason="delivery")
        with hub.desk.database.write():
            for _ in range(2):
                room.report()
                wait_for_a_look(hub)
        wait_for(lambda: room.of(Open), "it is sent")
        with door("lobby") as lobby:
            lobby.send(lobby.write(Tapped(access_point=IN, tag=None, granted=False)))
            lobby.acknowledged()  # and so is everything that was taken before
        room.ask(TAG)
        assert [sent.command for sent in room.of(Open)] == [asked.command]


def wait_for_a_look(hub: Hub) -> None:
    """Until the process has looked at what waits: it does each second, and nobody tells when."""
    until = hub.desk.clock.monotonic() + 1.3 * UPKEEP_SECONDS
    wait_for(lambda: hub.desk.clock.monotonic() > until, "a look at what waits")


@ON_SQLITE
def test_a_captured_number_is_stored_sealed(server: Server, hub: Hub, door: MakeDoor) -> None:
    """It can be read with the server's key only, and only for the capture that stood at that door."""
    server.start()
    with door("room") as room, door("lobby") as lobby:
        room.report()
        with hub.desk.database.write() as tx:
            asked = commands.ask_capture(tx, HOST, now=hub.desk.clock.now(), door_id="room").command
        wait_for(lambda: [sent for sent in room.of(Capture) if sent.command == asked], "the capture is sent")
        lobby.capture(asked, OTHER_TAG)
        room.capture(asked, TAG)
        with_number = wait_for(lambda: captured(hub, asked), "the number")
    assert with_number == TAG
    with hub.desk.database.read() as tx:
        row = tx.execute(text("select * from commands")).one()
    assert TAG.uid.hex() not in str(row).lower()


def captured(hub: Hub, command: str) -> TagNumber | None:
    with hub.desk.database.read() as tx:
        return commands.captured_number(tx, hub.desk.keys.vault, command)


@ON_SQLITE
def test_time_goes_on_and_so_do_snapshots_and_commands(
    tmp_path: Path, database_url: str, server: Server, hub: Hub, hand: ClockHand
) -> None:
    """On a new UTC day an online door gets a snapshot that lasts a day longer; a command to an absent door ends unanswered."""
    with Processes(tmp_path / "demo" / "logs") as processes:
        demo = Server(tmp_path / "demo", processes, database_url, clock=hand.file)
        (demo.folder / "state" / "keys").symlink_to(tmp_path / "state" / "keys")
        demo.start_broker()
        process = demo.start()
        asked = hub.desk.open("lobby", "nobody is there")
        with FakeDoor("room", demo.port, demo.identity, hub.desk.keys) as room:
            room.report()
            before, digest = wait_for(room.snapshot, "a snapshot")
            room.report(snapshot_number=before.number, snapshot_digest=digest)
            wait_for(lambda: hub.desk.online("room"), "the door is online")
            hand.turn_by(timedelta(days=1))
            wait_for(lambda: digest != shown(room)[1], "the next day's")
            after, _ = shown(room)
            assert after.expires_at - before.expires_at == timedelta(days=1)
            assert after.number > before.number
            wait_for(lambda: hub.desk.outcome(asked) == commands.NO_ANSWER, "the command is given up")
            room.vanish()
            wait_for(lambda: not hub.desk.online("room"), "the broker's last word for the door", limit_seconds=5)
        assert process.stop() == 0
        assert not any(word in process.said() for word in BUGS)


def shown(door: FakeDoor) -> tuple[Snapshot, str]:
    return wait_for(door.snapshot, "a whole snapshot")


@ON_SQLITE
def test_it_ends_when_it_cannot_store_and_says_so_in_one_line(server: Server, hub: Hub, door: MakeDoor) -> None:
    """A database that fails ends the process, so that whoever watches it starts it again."""
    process = server.start()
    with hub.desk.database.write() as tx:
        tx.execute(text("alter table journals rename to gone"))
    with door("room") as room:
        room.send(room.write(Tapped(access_point=IN, tag=None, granted=False)))
        assert process.process.wait(20) == 1
        assert room.heard == []
    assert process.said().splitlines()[-1].startswith("Error: the database cannot be used: ")
    assert not any(word in process.said() for word in BUGS)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_database_that_goes_away_is_one_clear_line(server: Server, hub: Hub) -> None:
    """Also while nothing is stored, and the process only listens for what others commit."""
    process = server.start()
    with hub.desk.database.write() as tx:
        others = "datname = current_database() and pid <> pg_backend_pid()"
        tx.execute(text(f"select pg_terminate_backend(pid) from pg_stat_activity where {others}"))  # noqa: S608
    assert process.process.wait(20) == 1
    assert process.said().splitlines()[-1].startswith("Error: the database cannot be used: ")
    assert not any(word in process.said() for word in BUGS)


def test_a_missing_part_is_one_clear_line(tmp_path: Path) -> None:
    """It says what is missing and what to do: a certificate, a key, the tables."""
    with ExitStack() as stack:
        started = {part: start_without(part, tmp_path / part, stack) for part in ("certificate.pem", "vault.key", "tables")}
        for part, process in started.items():
            assert process.process.wait(20) == 1
            (line,) = process.said().splitlines()
            assert line.startswith("Error: ")
            assert ("identities" if part == "certificate.pem" else part) in line
            assert ("backup" if part == "vault.key" else "booking-server") in line


def start_without(part: str, folder: Path, stack: ExitStack) -> Child:
    make_keys(folder / "state")
    processes = stack.enter_context(Processes(folder / "logs"))
    server = Server(folder, processes, f"sqlite:///{folder / 'empty.sqlite'}")
    for file in (server.identity / part, folder / "state" / "keys" / part):
        file.unlink(missing_ok=True)
    return server.begin()


@ON_SQLITE
def test_without_a_broker_it_waits_for_one(server: Server, hub: Hub, door: MakeDoor) -> None:
    """A broker that is away is one line; when it is there the process is ready, and a broker started anew changes nothing."""
    process = server.start()
    server.stop_broker()
    wait_for(lambda: "broker_away" in process.said(), "it is told")
    server.start_broker()
    with door("room") as room:
        wait_for(lambda: process.said().count("broker_connected") == 2, "it is back")
        assert room.ask(TAG).reason == Reason.TAG_UNKNOWN
    assert process.said().count("broker_away") == 1
