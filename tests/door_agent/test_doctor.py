# SPDX-License-Identifier: AGPL-3.0-or-later
"""What does doctor make of the facts: good, what to do, or unknown? One promise for each question it asks."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from door_agent.doctor.asking import NO_PYSCARD, SILENT
from door_agent.doctor.board import Power, Wear
from door_agent.doctor.boot import parsed
from door_agent.doctor.check import Verdict
from door_agent.doctor.checks import checks
from door_agent.doctor.facts import Broker, Certificate, Clock, Facts, Journal, Pcscd, Sync
from door_agent.readers.settings import Evdev, Osdp, Pcsc, Simulated
from door_agent.telling import Needs, Reader
from door_agent.wiring import Alarm, Lock, Operator
from tests.door_agent.doctor_facts import (
    BOOT,
    CONFIG,
    KEY,
    NOW,
    READER,
    ROOM,
    TOLD,
    UNIT,
    VERSIONS,
    WELL,
    check,
    with_config,
)

ALONE = replace(WELL, runs=False, told=None)
AWAY = msgspec.structs.replace(TOLD, readers=[Reader(access_point="in", name=None, why="pcscd: Access denied")])
STUCK = msgspec.structs.replace(TOLD, needs=[Needs(about="exit_stuck", sentence="Free it.", cause="")])
END = Certificate(name="front", ends=NOW, renews=True)


def changed(**changes: Any) -> Facts:
    return replace(WELL, **changes)


def alone(**changes: Any) -> Facts:
    return replace(ALONE, **changes)


def test_a_box_on_which_all_is_well_has_nothing_to_do() -> None:
    """Every check is good, and each stands on a line of its own."""
    found = checks(WELL)
    assert [str(one) for one in found if one.verdict is not Verdict.GOOD] == []
    assert len({one.name for one in found}) == len(found) == 17


@pytest.mark.parametrize(
    ("name", "facts", "says"),
    [
        ("settings", changed(trouble="/etc/hubkey/door.toml: lock.pin is 99"), "lock.pin is 99"),
        ("files", changed(files=(replace(KEY, mode=0o644),)), "sudo chmod o= /k/key.pem"),
        ("files", changed(files=(replace(KEY, owner="root", group="root"),)), "sudo chown hubkey-door: /k/key.pem"),
        ("reader in", changed(told=AWAY, pcscd=Pcscd(code=0x8010006A, said="Access denied")), "the polkit rule is missing"),
        ("reader in", changed(told=AWAY), "unplug it and plug it in again"),
        ("reader in", alone(pcscd=Pcscd(code=0x8010001D)), "systemctl enable --now pcscd.socket"),
        ("reader in", alone(pcscd=Pcscd(code=0x80100001, said="Internal error")), "Internal error (0x80100001)"),
        ("reader in", alone(pcscd=Pcscd(code=NO_PYSCARD)), "apt install python3-pyscard"),
        ("reader in", alone(pcscd=Pcscd(code=SILENT)), "systemctl restart pcscd"),
        ("reader in", alone(pcscd=Pcscd()), "no reader is plugged in"),
        ("reader in", alone(pcscd=Pcscd(names=("HID Omnikey",))), "begins with 'ACS': set readers.name as one of HID Omnikey"),
        ("reader in", alone(pcscd=Pcscd(names=("ACS SAM 00", "Virtual PCD 00 00"))), "no reader is plugged in"),
        ("kernel", changed(modules=frozenset({"pn533_usb", "nfc"})), "(pn533_usb, nfc) take readers away"),
        ("pins", changed(chips={}), "the kernel shows no pins"),
        ("pins", changed(chips={"/dev/gpiochip0": "root"}), "belongs to the group root, not gpio"),
        ("boot pins", changed(boot_file=None), "mount the boot partition"),
        ("clock", changed(clock=Clock(at=NOW, synced=False)), "nothing keeps it in step: connect the network"),
        ("clock", changed(clock=Clock(at=NOW, synced=True, battery_off_seconds=3600)), "3600 s off: sudo hwclock --systohc"),
        ("disk", changed(space=replace(ROOM, read_only=True)), "is read-only"),
        ("disk", changed(space=replace(ROOM, free_bytes=10**8)), "only 100 of 30000 MB free"),
        ("disk", changed(space=replace(ROOM, free_files=10)), "10 files: free space"),
        ("card", changed(wear=(Wear("mmcblk0", 90, 1),)), "up to 90 % of its life is used"),
        ("card", changed(wear=(Wear("mmcblk0", None, 2),)), "spare blocks run short: replace the card"),
        ("journal", changed(journal=Journal(bytes=9, waiting=950_000)), "nearly full; connect the door"),
        ("sync", changed(sync=Sync(seconds=1.5)), "in 1500 ms, which is too near to journal_deadline_seconds (2)"),
        ("sync", changed(sync=Sync(trouble="Read-only file system")), "can be written into the state folder (Read-only"),
        ("supply", changed(power=Power(low_now=True, low_since_start=True)), "is too low now"),
        ("supply", changed(power=Power(low_now=False, low_since_start=True)), "too low at some time since the start"),
        ("certificate", changed(certificate=END), "it has ended, and the door decides alone: sudo door-agent enrol"),
        ("certificate", changed(certificate=replace(END, ends=NOW + timedelta(days=9))), "was not renewed: connect the door"),
        ("broker", changed(broker=Broker(address="h:8883", trouble="it cannot be reached")), "it cannot be reached; see to"),
        ("versions", changed(versions=replace(VERSIONS, bits=32)), "install the 64-bit Raspberry Pi OS"),
        ("broker", changed(broker=Broker(address="b:1", trouble="refused", revoked=True)), "another box is the door now"),
        ("service", changed(unit={"LoadState": "not-found"}), "install the package hubkey-door"),
        ("service", changed(unit={**UNIT, "UnitFileState": "disabled"}), "sudo systemctl enable door-agent"),
        ("service", changed(unit={**UNIT, "ActiveState": "failed", "SubState": "failed"}), "it is failed (failed): sudo"),
        ("service", changed(unit={**UNIT, "WatchdogUSec": "0"}), "the watchdog is off"),
        ("agent", ALONE, "sudo systemctl start door-agent"),
        ("agent", changed(told=STUCK), "Free it. [exit_stuck]"),
        ("agent", changed(told=msgspec.structs.replace(TOLD, link_up=False)), "The door is offline"),
        ("agent", changed(told=msgspec.structs.replace(TOLD, door="back")), "belongs to the door 'back'"),
    ],
)  # fmt: skip
def test_what_is_wrong_comes_with_what_to_do(name: str, facts: Facts, says: str) -> None:
    """One thing wrong, one check to do, in a sentence; where the agent runs or not."""
    found = check(name, facts)
    assert (found.verdict, says in found.sentence) == (Verdict.TO_DO, True), found


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("files", changed(agents_user_is_there=False)),
        ("kernel", changed(modules=None)),
        ("pins", changed(chips={}, model=None)),
        ("pins", with_config(demo=True)),
        ("boot pins", changed(boot_file=None, model=None)),
        ("boot pins", with_config(demo=True)),
        ("disk", changed(space=None)),
        ("card", changed(wear=())),
        ("journal", changed(journal=None)),
        ("sync", changed(sync=None)),
        ("supply", changed(power=None)),
        ("supply", changed(power=None, model=None)),
        ("certificate", changed(clock=Clock(at=NOW, synced=False))),
        ("versions", changed(versions=replace(VERSIONS, debian="11"))),
        ("service", changed(unit=None)),
        ("agent", changed(told=None)),
        ("reader in", replace(with_config(readers=(Simulated(access_point="in"),)), told=None)),
    ],
)
def test_what_cannot_be_told_is_not_called_good(name: str, facts: Facts) -> None:
    """On another machine, or before there is anything to look at."""
    found = check(name, facts)
    assert (found.verdict, found.sentence != "") == (Verdict.UNKNOWN, True), found


def test_without_settings_only_they_are_to_be_done() -> None:
    """Nothing else of the door is guessed at; what is the machine's own is checked all the same."""
    found = checks(Facts(config_file=Path("/x"), trouble="no settings yet", clock=WELL.clock, versions=VERSIONS, unit=UNIT))
    assert [one.name for one in found if one.verdict is Verdict.TO_DO] == ["settings"]
    assert {"clock", "versions", "service"} == {one.name for one in found if one.verdict is Verdict.GOOD}


def test_a_reader_is_good_if_the_agent_says_so_whatever_pcscd_answers_us() -> None:
    """The agent that runs knows best."""
    assert check("reader in", changed(pcscd=Pcscd(code=SILENT))).sentence == READER


def test_a_unit_that_never_ran_is_not_said_to_have_no_watchdog() -> None:
    """systemd tells no watchdog of a unit that has not run yet: that is no trouble of the unit."""
    fresh = {**UNIT, "ActiveState": "inactive", "SubState": "dead", "WatchdogUSec": "infinity"}
    said = check("service", changed(unit=fresh)).sentence
    assert said == "it is inactive (dead): sudo systemctl restart door-agent"


@pytest.mark.parametrize(
    ("reader", "drop_in", "group"),
    [
        (Evdev(access_point="in", device="/dev/input/by-id/r"), "reader-evdev.conf", "input"),
        (Osdp(access_point="in", port="/dev/serial/by-id/r", key_file="k"), "reader-osdp.conf", "dialout"),
    ],
)
def test_another_reader_needs_its_device_and_the_unit_s_leave(reader: Evdev | Osdp, drop_in: str, group: str) -> None:
    """Missing, not allowed, of another group, and good."""
    device = reader.device if isinstance(reader, Evdev) else reader.port
    facts = replace(with_config(readers=(reader,)), runs=False, told=None)
    assert f"{device} is not there" in check("reader in", facts).sentence
    facts = replace(facts, devices={device: group})
    assert any(drop_in in line for line in check("reader in", facts).lines)
    facts = replace(facts, drop_ins=frozenset({drop_in}))
    assert check("reader in", facts).verdict is Verdict.GOOD
    assert "belongs to the group root" in check("reader in", replace(facts, devices={device: "root"})).sentence


def boot(text: str, **settings: Any) -> tuple[Verdict, str, tuple[str, ...]]:
    facts = replace(with_config(**settings), boot_lines=tuple(parsed(text)), keeps_outputs=None)
    found = check("boot pins", facts)
    return found.verdict, found.sentence, found.lines


def test_an_empty_boot_file_gets_the_exact_lines() -> None:
    """Outputs low, inputs up, and the kernel lets go; under [all], in case the file ends under another filter."""
    lines = ("[all]", "gpio=17,23,24,25=op,dl", "gpio=22=ip,pu", "dtparam=strict_gpiod")
    assert boot("")[2] == lines
    assert boot("\n".join(lines))[0] is Verdict.GOOD


def test_only_what_is_missing_is_to_be_added() -> None:
    """A relay for a low level wants dh; what is there already is not said again."""
    settings = {
        "lock": Lock(pin=5, active_high=False),
        "operator": Operator(pin=16),
        "alarm": Alarm(armed_pin=6, disarm_pin=26),
    }
    assert boot(BOOT, **settings)[2] == ("[all]", "gpio=5=op,dh", "gpio=16,26=op,dl", "gpio=6=ip,pu")


@pytest.mark.parametrize(
    ("more", "is_good"),
    [
        ("gpio=17=op,dh", False),
        ("gpio=10-20=ip", False),
        ("gpio=17=op,dh\ngpio=16-18=op,dl", True),
        ("[pi5]\ngpio=17=op,dh", False),
        ("[pi5]\ngpio=17=op,dh\n[all]\ngpio=17=op,dl,pd", True),
        ("# gpio=17=op,dh", True),
    ],
)
def test_of_two_lines_the_later_one_counts(more: str, is_good: bool) -> None:  # noqa: FBT001
    """A line under a filter cannot help and can spoil."""
    assert (boot(BOOT + more)[0] is Verdict.GOOD) is is_good


def test_a_line_under_a_filter_is_not_relied_on() -> None:
    """It may be of another model."""
    assert boot("[pi4]\n" + BOOT)[2][1:] == (*tuple(BOOT.split())[:2], "dtparam=strict_gpiod")


def test_pins_without_their_library_are_of_no_use() -> None:
    """The agent would start again and again, and only the log would say why."""
    said = check("pins", replace(WELL, pin_library=False))
    assert (said.verdict, "sudo apt install python3-lgpio" in said.sentence) == (Verdict.TO_DO, True)


@pytest.mark.parametrize(
    ("line", "pin"),
    [
        ("dtparam=spi=on", 8),
        ("dtparam=i2c_arm=on,spi=off", 2),
        ("dtoverlay=w1-gpio", 4),
        ("dtoverlay=w1-gpio,gpiopin=17", 17),
        ("dtoverlay=gpio-shutdown,gpio_pin=17,active_low=1", 17),
        ("enable_uart=1", 14),
    ],
)
def test_a_line_that_takes_a_pin_of_the_door_is_named(line: str, pin: int) -> None:
    """With the setting that wants the pin; and a door with other pins does not mind."""
    text = f"gpio={pin}=op,dl\n{BOOT}{line}\n"
    verdict, said, lines = boot(text, lock=Lock(pin=pin))
    assert (verdict, lines) == (Verdict.TO_DO, ())
    assert f"{line} takes GPIO {pin} (lock.pin): take that line out, or use another pin" in said
    assert boot(f"gpio=13=op,dl\n{BOOT}{line}\n", lock=Lock(pin=13))[0] is Verdict.GOOD


def test_a_kernel_that_keeps_outputs_is_told_not_to() -> None:
    """A killed agent must not leave the relay on: the kernel's own word counts, the line alone needs a restart."""
    pins_only = tuple(parsed(BOOT.replace("dtparam=strict_gpiod\n", "")))
    assert check("boot pins", changed(boot_lines=pins_only, keeps_outputs=False)).verdict is Verdict.GOOD
    assert check("boot pins", changed(boot_lines=pins_only, keeps_outputs=True)).lines == ("[all]", "dtparam=strict_gpiod")
    assert "restart the Pi" in check("boot pins", changed(keeps_outputs=True)).sentence


def test_a_door_with_another_kind_of_reader_minds_no_nfc_driver() -> None:
    """The kernel takes no keyboard away from us."""
    reader = Evdev(access_point="in", device="/dev/input/by-id/r")
    facts = replace(with_config(readers=(reader,)), modules=frozenset({"nfc"}))
    assert check("kernel", facts).verdict is Verdict.GOOD


def test_a_certificate_from_files_says_that_it_does_not_renew_itself() -> None:
    """And an enrolled one from when on it does."""
    assert "renews itself from 2027-01-14 on" in check("certificate", WELL).sentence
    facts = changed(certificate=Certificate(name="front", ends=NOW + timedelta(days=9000), renews=False))
    assert "does not renew itself" in check("certificate", facts).sentence
    assert check("certificate", facts).verdict is Verdict.GOOD


def test_a_second_reader_is_a_check_of_its_own() -> None:
    """Each by its access point."""
    facts = with_config(readers=(*CONFIG.readers, Pcsc(access_point="out", name="HID")))
    assert check("reader in", facts).verdict is Verdict.GOOD
    assert check("reader out", facts).verdict is Verdict.TO_DO
