# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is every wish to put a box out carried out once, and what came of it stored, whatever it was?"""

from __future__ import annotations

from pathlib import Path

import pytest

from booking_server.broker import pki
from booking_server.broker.settings import write_broker
from booking_server.config import Broker, Config
from booking_server.doors import boxes
from booking_server.doors.boxes import Revocation
from booking_server.doors.evicting import FAILED, Evictor
from tests.booking_server.hub import ADMINISTRATOR, HOST, NOW, Hub, StillClock
from tests.system.processes import free_port, wait_for


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A server without a running broker; the room has a box."""
    made = Config(database="", state_folder=str(tmp_path / "state"), broker=Broker(port=free_port()))
    write_broker(made)
    pki.issue_to(made.folder, "room", tmp_path / "box")
    return made


def _stolen(hub: Hub, config: Config) -> None:
    with hub.desk.database.write() as tx:
        serials = pki.issued_serials(config.folder, "room")
        vault = hub.desk.keys.vault
        boxes.mark_stolen(tx, ADMINISTRATOR, now=NOW, vault=vault, door_id="room", reason="gone", serials=serials)


def _last(hub: Hub) -> Revocation:
    with hub.desk.database.read() as tx:
        last = boxes.last_revocation(tx, "room")
    assert last is not None
    return last


def _carried_out(hub: Hub, evictor: Evictor) -> str:
    evictor.look()
    became = wait_for(lambda: _last(hub).became, "what came of it is stored")
    assert evictor.fault is None
    return became


def test_without_a_broker_the_certificates_are_revoked_all_the_same(hub: Hub, config: Config) -> None:
    """It is told as it is, and looked at again there is nothing left to do."""
    _stolen(hub, config)
    evictor = Evictor(config, hub.desk.database, StillClock())
    assert _carried_out(hub, evictor) == "no_broker"
    assert pki.revoked_names(config.folder) == ["room"]
    done, count = _last(hub), len(pki.issued_serials(config.folder, "room"))
    evictor.look()
    assert (_last(hub), len(pki.issued_serials(config.folder, "room"))) == (done, count)


def test_a_replaced_box_is_put_out_and_the_new_one_is_not(hub: Hub, config: Config, tmp_path: Path) -> None:
    """Only the certificates that the door had when it was asked for; one that is issued meanwhile stays good."""
    (old,) = pki.issued_serials(config.folder, "room")
    with hub.desk.database.write() as tx:
        boxes.replace_box(tx, HOST, now=NOW, vault=hub.desk.keys.vault, door_id="room", serials=[old])
    new = pki.issue_to(config.folder, "room", tmp_path / "new")
    assert _carried_out(hub, Evictor(config, hub.desk.database, StillClock())) == "no_broker"
    assert [f"{one.serial_number:x}" for one in pki.certificates(config.folder, "room")] == [new]


def test_a_stolen_box_that_renewed_itself_meanwhile_is_out_too(hub: Hub, config: Config, tmp_path: Path) -> None:
    """While the door has no new box, every certificate of it is the thief's."""
    _stolen(hub, config)
    pki.issue_to(config.folder, "room", tmp_path / "renewed")
    _carried_out(hub, Evictor(config, hub.desk.database, StillClock()))
    assert pki.certificates(config.folder, "room") == []


def test_what_cannot_be_written_is_told(hub: Hub, config: Config) -> None:
    """Something lies in the broker's way: the page says that it failed, and the process goes on."""
    _stolen(hub, config)
    (config.folder / "broker" / "acl").unlink()
    (config.folder / "broker" / "acl").mkdir()
    assert _carried_out(hub, Evictor(config, hub.desk.database, StillClock())) == FAILED


def test_a_process_without_the_authority_leaves_it_to_one_that_has_it(hub: Hub, config: Config, tmp_path: Path) -> None:
    """And makes no authority of its own, which would be a stranger to every door."""
    _stolen(hub, config)
    elsewhere = Config(database="", state_folder=str(tmp_path / "elsewhere"))
    Evictor(elsewhere, hub.desk.database, StillClock()).look()
    assert _last(hub).taken_at is None
    assert not (tmp_path / "elsewhere").exists()
