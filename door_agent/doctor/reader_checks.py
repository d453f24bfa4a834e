# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is each reader of the door there, and does the agent get at it? Pure, of facts."""

from __future__ import annotations

from typing import assert_never

from door_agent.doctor.asking import NO_PYSCARD, SILENT
from door_agent.doctor.check import Check, good, to_do, unknown
from door_agent.doctor.facts import AGENTS_USER, Facts, Pcscd
from door_agent.readers.settings import Evdev, Osdp, ReaderSettings, Simulated
from door_agent.readers.settings import Pcsc as PcscSettings

_DENIED, _NO_SERVICE = 0x8010006A, 0x8010001D
_VIRTUAL = ("virtual pcd", "vpcd", "vpicc")


def readers(facts: Facts) -> list[Check]:
    """Return a check for each reader that the settings name."""
    if facts.config is None:
        return [unknown("reader", "the settings must be good first")]
    return [_reader(f"reader {reader.access_point}", reader, facts) for reader in facts.config.readers]


def _reader(name: str, reader: ReaderSettings, facts: Facts) -> Check:
    """The agent that runs knows best; where none runs, what is there is looked at."""
    told = next((one for one in facts.told.readers if one.access_point == reader.access_point), None) if facts.told else None
    if told is not None and told.name is not None:
        return good(name, told.name)
    away = f"the agent says: {told.why}" if told is not None else ""
    match reader:
        case PcscSettings():
            found = _pcsc(name, reader, facts)
        case Evdev():
            found = _device(name, reader.device, "input", "reader-evdev.conf", facts)
        case Osdp():
            found = _device(name, reader.port, "dialout", "reader-osdp.conf", facts)
        case Simulated():
            found = unknown(name, "it is simulated")
        case _:
            assert_never(reader)
    return to_do(name, f"{away}; unplug it and plug it in again") if away and found.verdict == "good" else found


def _pcsc(name: str, reader: PcscSettings, facts: Facts) -> Check:
    if facts.pcscd is None:
        return unknown(name, "pcscd was not asked")
    trouble = _trouble(facts.pcscd)
    if trouble is not None:
        return to_do(name, trouble)
    demo = facts.config is not None and facts.config.demo
    names = [one for one in facts.pcscd.names if " SAM" not in one and (demo or not any(v in one.lower() for v in _VIRTUAL))]
    ours = [one for one in names if one.startswith(reader.name)]
    if ours:
        return good(name, ", ".join(ours))
    if not names:
        return to_do(
            name, "no reader is plugged in, or pcscd does not know it: plug it in anew; `lsusb` shows whether USB sees it"
        )
    return to_do(name, f"no reader's name begins with {reader.name!r}: set readers.name as one of {', '.join(names)}")


def _trouble(pcscd: Pcscd) -> str | None:
    if pcscd.code == 0:
        return None
    if pcscd.code == NO_PYSCARD:
        return "pyscard is not installed: sudo apt install python3-pyscard pcscd"
    if pcscd.code == SILENT:
        return "pcscd does not answer: sudo systemctl restart pcscd"
    if pcscd.code == _DENIED:
        return (
            f"pcscd refuses the user {AGENTS_USER} (Access denied): the polkit rule is missing; put firmware_config/"
            "50-hubkey-door.rules into /usr/share/polkit-1/rules.d, then sudo systemctl restart polkit pcscd"
        )
    if pcscd.code == _NO_SERVICE:
        return "pcscd does not run: sudo systemctl enable --now pcscd.socket; if it is missing, sudo apt install pcscd"
    return f"pcscd says: {pcscd.said} (0x{pcscd.code:08X}); sudo systemctl restart pcscd"


def _device(name: str, device: str, group: str, drop_in: str, facts: Facts) -> Check:
    if device not in facts.devices:
        return to_do(
            name, f"{device} is not there: plug the reader in, or set its file as `ls {device.rpartition('/')[0]}` shows it"
        )
    if facts.config is not None and not facts.config.demo and drop_in not in facts.drop_ins:
        return to_do(
            name,
            f"the unit may not use {device}",
            (
                f"sudo install -D -m 644 -t /etc/systemd/system/door-agent.service.d /usr/share/hubkey-door/{drop_in}",
                "sudo systemctl daemon-reload && sudo systemctl restart door-agent",
            ),
        )
    if facts.devices[device] != group:
        return to_do(name, f"{device} belongs to the group {facts.devices[device]}, not {group}: a udev rule changed that")
    return good(name, device)
