# SPDX-License-Identifier: AGPL-3.0-or-later
"""Real doors over a real broker: the server's keys change, a dropped key opens nothing, a stolen box is out at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import pytest
from click.testing import CliRunner

from access_contract import topics
from access_contract.envelope import seal
from access_contract.messages import Open
from access_contract.vocabulary import DoorId, TagNumber
from booking_server.broker import pki
from booking_server.cli import main
from booking_server.doors import boxes
from booking_server.doors import service as doors
from booking_server.keys import Keys, Pair, load_keys
from booking_server.tags import exposure
from tests.booking_server.broker.lines import Line
from tests.system import parts
from tests.system.building import Building
from tests.system.desk import HOST, Desk
from tests.system.door import Door
from tests.system.one_door import AT, NUMBER, PULSE_SECONDS, SECOND
from tests.system.processes import wait_for

SERVER = "server-doors-1"
SHORT = TagNumber.parse("D1E5A0C0")
SESSION_ENDS_SECONDS = 2.0
MACHINE_SECONDS = 2.0
"""What a test machine with other work may add."""


@dataclass
class Hub:
    """A hub with two doors: one member may pass both, with two keytags, and one only the side door."""

    building: Building
    desk: Desk
    front: Door
    side: Door
    tags: dict[str, int]

    def call(self, *words: str) -> tuple[int, str]:
        said = CliRunner().invoke(main, ["--config", str(self.building.settings), *words])
        return said.exit_code, said.output

    def rotate(self, *words: str) -> Keys:
        code, said = self.call("keys", "rotate", *words)
        assert code == 0, said
        return load_keys(self.building.state)

    def knows(self, door: Door, keys: Keys) -> None:
        """Wait until a door has said that it holds these keys, and no others."""
        wait_for(lambda: self._known(door) == keys.known_keys, f"{door.id} holds the keys", limit_seconds=40)

    def is_answered(self, door: Door, number: TagNumber) -> None:
        """Tap until the server has decided on one."""
        wait_for(lambda: self._decided_by(door, number) == "server", f"the server answers {door.id}", limit_seconds=40)

    def _decided_by(self, door: Door, number: TagNumber) -> str:
        before = len(self.desk.taps())
        door.tap(number)
        wait_for(lambda: len(self.desk.taps()) > before, "the tap is stored", limit_seconds=20)
        return self.desk.taps()[0].decided_by

    def _known(self, door: Door) -> set[str]:
        with self.desk.database.read() as tx:
            state = doors.door_states(tx).get(door.id)
        return set() if state is None else set(state.status.known_keys)


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    if parts.mosquitto() is None:
        pytest.skip(parts.missing("Mosquitto"))
    with Building(at=AT, pulse_seconds=PULSE_SECONDS) as building:
        building.command("init")
        desk, first = building.desk(), date(2026, 3, 1)
        site = desk.site("Hub")
        studio, shop = desk.space(site, "Studio", "co-creation"), desk.space(site, "Shop", "pop-up")
        desk.door("front", "Front", leads_into=studio)
        desk.door("side", "Side", leads_into=shop)
        aino, eetu = desk.person("Aino Virtanen"), desk.person("Eetu Korhonen")
        tags = {"long": desk.tag(aino, NUMBER), "short": desk.tag(aino, SHORT), "eetu": desk.tag(eetu, SECOND)}
        for person, space in ((aino, studio), (aino, shop), (eetu, shop)):
            desk.grant(person, space, from_day=first)
        building.start_broker()
        building.start_doors()
        front, side = building.doors_made("front", "side", by_command=False)
        yield Hub(building, desk, front, side, tags)


@pytest.fixture(scope="module")
def dropped(hub: Hub) -> Pair:
    """The pair that signed before the first test's rotation."""
    return load_keys(hub.building.state).current


def test_the_keys_change_while_a_door_is_away(hub: Hub, dropped: Pair) -> None:
    """No step leaves a door behind unnamed; one that was away for two is caught up by the old key, which is then forgotten."""
    hub.knows(hub.front, load_keys(hub.building.state))
    hub.knows(hub.side, load_keys(hub.building.state))
    hub.side.plug.pull()
    hub.knows(hub.front, hub.rotate())
    code, said = hub.call("keys", "rotate")
    assert (code, "--without side" in said, "front" in said.split(":")[1]) == (1, True, False), said
    changed = hub.rotate("--without", "side")
    assert dropped.id != changed.current.id
    hub.knows(hub.front, changed)
    hub.is_answered(hub.front, NUMBER)
    hub.side.plug.put_back()
    hub.knows(hub.side, changed)
    alone = hub.rotate()
    assert alone.known_keys == {changed.current.id, changed.current.sealing_id}
    for door in (hub.front, hub.side):
        hub.knows(door, alone)
    hub.front.kill()
    hub.front.start()
    for door in (hub.front, hub.side):
        hub.is_answered(door, NUMBER)
    assert f"knows {alone.current.id} {alone.current.sealing_id}\n" in hub.call("keys")[1]


def test_a_command_of_a_dropped_key_or_one_that_was_kept_opens_nothing(hub: Hub, dropped: Pair) -> None:
    """Right in all else, for the very door and under its latest nonce: each is refused and counted, and the relay stays off."""
    since, keys = time.monotonic(), load_keys(hub.building.state)
    with hub.desk.database.read() as tx:
        nonce = doors.door_states(tx)["front"].status.nonce or ""
    hub.building.kill_doors()
    server = Line(hub.building.broker_port, pki.issue(hub.building.state, SERVER), SERVER).connect()
    topic, until = topics.down(DoorId("front"), "command"), hub.building.hand.now() + timedelta(minutes=5)

    def command(name: str, by: Pair) -> bytes:
        body = Open(command=name, nonce=nonce)
        return seal(body, door=DoorId("front"), key_id=by.id, key=by.signing, expires_at=until)

    server.publish(topic, command("dropped", dropped))
    wait_for(lambda: "cause=unknown_key" in hub.front.said(), "the dropped key is counted")
    hub.front.plug.pull()
    server.publish(topic, command("kept", keys.current), retain=True)
    hub.front.plug.put_back()
    wait_for(lambda: "cause=retained" in hub.front.said(), "the kept command is counted", limit_seconds=20)
    server.publish(topic, b"", retain=True)
    assert not hub.front.pins.rises("relay", since)
    server.close()
    hub.building.start_doors()


def test_a_stolen_box_is_out_at_once_and_for_good(hub: Hub) -> None:
    """Its session ends within two seconds, it cannot come back, its taps go unanswered, and the tags at risk are listed."""
    hub.is_answered(hub.front, NUMBER)
    config_state, vault = hub.building.state, hub.desk.keys.vault
    serials = pki.issued_serials(config_state, "front")
    online_before = hub.front.said().count("online")
    with hub.desk.database.write() as tx:
        now = hub.building.hand.now()
        boxes.mark_stolen(tx, HOST, now=now, vault=vault, door_id="front", reason="gone", serials=serials)
    limit = SESSION_ENDS_SECONDS + MACHINE_SECONDS
    wait_for(lambda: "offline" in _last_line(hub.front), "the session ends", limit_seconds=limit)
    wait_for(lambda: _became(hub) == "ended", "what came of it is stored", limit_seconds=limit)
    assert not hub.desk.online("front")
    wait_for(lambda: not hub.front.pins.is_on("relay"), "the door is locked")
    before, since = len(hub.desk.taps()), hub.front.tap(SHORT)
    wait_for(lambda: hub.front.pins.rises("relay", since), "the stolen box decides alone")
    tried = _refused_lines(hub)
    wait_for(lambda: _refused_lines(hub) > tried, "the stolen box tries to come back", limit_seconds=20)
    hub.is_answered(hub.side, SECOND)
    assert {tap.door_id for tap in hub.desk.taps()[: len(hub.desk.taps()) - before]} == {"side"}
    assert hub.front.said().count("online") == online_before
    with hub.desk.database.read() as tx:
        listed = exposure.exposed(tx, HOST, vault=vault, door_id="front")
        assert doors.tag_key(tx, vault, "front") != (hub.front.folder / "tag.key").read_bytes()
    assert [(one.keytag.id, one.number_bytes) for one in listed] == [(hub.tags["short"], 4), (hub.tags["long"], 7)]


def test_a_new_box_takes_the_door_over(hub: Hub) -> None:
    """With new files the door is answered again, while the stolen box stays out, and the tags still work there."""
    old = hub.front
    old.folder.rename(old.folder.with_name("stolen"))
    old.kill()
    new = hub.building.door("front")
    hub.is_answered(new, NUMBER)
    wait_for(lambda: not new.pins.is_on("relay"), "the door is locked")
    since = new.tap(SHORT)
    wait_for(lambda: new.pins.rises("relay", since), "the tag opens the new box's door")
    with hub.desk.database.read() as tx:
        assert doors.stolen(tx) == frozenset()


def _last_line(door: Door) -> str:
    return (door.said().splitlines() or [""])[-1]


def _became(hub: Hub) -> str | None:
    with hub.desk.database.read() as tx:
        last = boxes.last_revocation(tx, "front")
    return None if last is None else last.became


def _refused_lines(hub: Hub) -> int:
    return hub.building.child("broker").said().count("certificate")
