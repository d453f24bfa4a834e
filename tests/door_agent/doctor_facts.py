# SPDX-License-Identifier: AGPL-3.0-or-later
"""The facts of a box on which everything is as it must be, for the tests of what doctor makes of others."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from door_agent.config import Broker, Buzzer, Config, Lamps, Server
from door_agent.doctor.board import Power, Space, Wear
from door_agent.doctor.boot import parsed
from door_agent.doctor.check import Check
from door_agent.doctor.checks import checks
from door_agent.doctor.facts import Broker as BrokerFound
from door_agent.doctor.facts import (
    Certificate,
    Clock,
    Facts,
    File,
    Journal,
    Pcscd,
    Sync,
    Versions,
)
from door_agent.readers.settings import Pcsc
from door_agent.telling import Reader, Told
from door_agent.wiring import Contact

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)
READER = "ACS ACR1252 Reader [ACR1252 Reader PICC] 00 00"
BOOT = "gpio=17,23,24,25=op,dl\ngpio=22=ip,pu\ndtparam=strict_gpiod\n"
CONFIG = Config(
    door="front",
    state_folder="/var/lib/hubkey-door",
    broker=Broker(host="hub.example.org", ca="ca.pem", certificate="certificate.pem", key="key.pem"),
    server=Server(signing_keys={"k1": "signing.pem"}, sealing_key="sealing.pem"),
    tag_key_file="tag.key",
    readers=(Pcsc(access_point="in", name="ACS"),),
    lamps=Lamps(granted=23, refused=24),
    buzzer=Buzzer(pin=25),
    contact=Contact(pin=22),
)
KEY = File(setting="broker.key", path="/k/key.pem", secret=True, mode=0o600, owner="hubkey-door", group="hubkey-door")
TOLD = Told(
    door="front",
    version="1",
    at=NOW,
    up_seconds=5,
    simulated=False,
    mode="locked",
    unlocked=False,
    leaf="closed",
    alarm_armed=None,
    readers=[Reader(access_point="in", name=READER)],
    clock="synced",
    snapshot_number=1,
    snapshot_made_at=NOW,
    snapshot_expires_at=NOW,
    journal_last=1,
    journal_acknowledged=1,
    journal_waiting=0,
    journal_events_max=1000,
    link_up=True,
    link_since=NOW,
    certificate_ends=NOW,
    needs=[],
    last_tap=None,
)
ROOM = Space(free_bytes=10**10, bytes=3 * 10**10, free_files=10**6, files=2 * 10**6, read_only=False)
VERSIONS = Versions(
    agent="1", python="3.13.5", bits=64, machine="aarch64", system="Debian GNU/Linux 13 (trixie)", debian="13", pcscd="2.3.3"
)
UNIT = {
    "LoadState": "loaded",
    "ActiveState": "active",
    "SubState": "running",
    "UnitFileState": "enabled",
    "WatchdogUSec": "20s",
    "NRestarts": "0",
}
WELL = Facts(
    config_file=Path("/etc/hubkey/door.toml"),
    config=CONFIG,
    agents_user_is_there=True,
    files=(KEY,),
    runs=True,
    told=TOLD,
    pcscd=Pcscd(names=(READER,)),
    modules=frozenset({"usbhid"}),
    model="Raspberry Pi 4 Model B Rev 1.4",
    chips={"/dev/gpiochip0": "gpio"},
    boot_file="/boot/firmware/config.txt",
    boot_lines=tuple(parsed(BOOT)),
    keeps_outputs=False,
    clock=Clock(at=NOW, synced=True, synced_at=NOW, has_battery=False),
    space=ROOM,
    wear=(Wear("mmcblk0", 10, 1),),
    journal=Journal(bytes=4096, waiting=3),
    sync=Sync(seconds=0.01),
    power=Power(low_now=False, low_since_start=False),
    certificate=Certificate(name="front", ends=NOW + timedelta(days=80), renews=True),
    broker=BrokerFound(address="hub.example.org:8883", seconds=0.03),
    versions=VERSIONS,
    unit=UNIT,
)


def with_config(**changes: Any) -> Facts:
    return replace(WELL, config=msgspec.structs.replace(CONFIG, **changes))


def check(name: str, facts: Facts) -> Check:
    """Return what doctor says about one question."""
    return next(check for check in checks(facts) if check.name == name)
