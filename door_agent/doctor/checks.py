# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is everything as it must be for this door? One check for each question, made of facts alone.

Pure. What is not known is said to be unknown, never good; what is wrong comes with what to do.
"""

from __future__ import annotations

from datetime import timedelta

from door_agent.doctor.check import Check, good, one, to_do, unknown
from door_agent.doctor.facts import AGENTS_USER, Facts, File
from door_agent.doctor.pi_checks import boot_pins, card, clock, disk, kernel, pins, supply
from door_agent.doctor.reader_checks import readers
from door_agent.renewing import RENEW_BEFORE, WARN_BEFORE

_SETTINGS_FIRST = "the settings must be good first"
_SLOW_SYNC_PART = 0.5
_TRIED_DEBIANS = ("12", "13")


def checks(facts: Facts) -> list[Check]:
    """Return all checks, in the order in which a caretaker would go about them."""
    return [
        settings(facts),
        files(facts),
        *readers(facts),
        kernel(facts),
        pins(facts),
        boot_pins(facts),
        clock(facts),
        disk(facts),
        card(facts),
        journal(facts),
        sync(facts),
        supply(facts),
        certificate(facts),
        broker(facts),
        versions(facts),
        service(facts),
        agent(facts),
    ]


def settings(facts: Facts) -> Check:
    if facts.trouble is not None:
        return to_do("settings", facts.trouble)
    return good("settings", str(facts.config_file))


def files(facts: Facts) -> Check:
    """Only the agent's user, and root, may read what is secret."""
    if facts.config is None:
        return unknown("files", _SETTINGS_FIRST)
    open_to_others = [
        f"{file.path} can be read by everybody: sudo chmod o= {file.path}" for file in facts.files if _is_open(file)
    ]
    if facts.config.demo or not facts.agents_user_is_there:
        if open_to_others and not facts.config.demo:
            return one("files", open_to_others)
        return unknown("files", f"the user {AGENTS_USER} of an installed box is not here, or demo = true")
    closed = [
        f"{file.path} cannot be read by {AGENTS_USER}: sudo chown {AGENTS_USER}: {file.path}"
        for file in facts.files
        if not _is_readable(file)
    ]
    return one("files", open_to_others + closed, "secrets are readable by the agent alone")


def _is_open(file: File) -> bool:
    return file.secret and bool(file.mode & 0o007)


def _is_readable(file: File) -> bool:
    by_owner = file.owner == AGENTS_USER and bool(file.mode & 0o400)
    by_group = file.group == AGENTS_USER and bool(file.mode & 0o040) and file.setting != "state_folder"
    return by_owner or by_group or bool(file.mode & 0o004)


def journal(facts: Facts) -> Check:
    if facts.config is None:
        return unknown("journal", _SETTINGS_FIRST)
    if facts.journal is None:
        return unknown("journal", "there is none yet, or it cannot be read")
    found, most = facts.journal, facts.config.journal_events_max
    said = f"{found.waiting} of at most {most} events wait for the server, {found.bytes // 10**6} MB"
    if found.waiting >= 0.9 * most:
        return to_do("journal", f"{said}: it is nearly full; connect the door to the network")
    return good("journal", said)


def sync(facts: Facts) -> Check:
    if facts.config is None:
        return unknown("sync", _SETTINGS_FIRST)
    if facts.sync is None:
        return unknown("sync", "the state folder is not there yet")
    if facts.sync.trouble is not None:
        return to_do(
            "sync", f"nothing can be written into the state folder ({facts.sync.trouble}): free space or replace the card"
        )
    took = f"64 KiB were on the disk in {facts.sync.seconds * 1000:.0f} ms"
    deadline = facts.config.timing.journal_deadline_seconds
    if facts.sync.seconds > _SLOW_SYNC_PART * deadline:
        return to_do("sync", f"{took}, which is too near to journal_deadline_seconds ({deadline:g}): replace the card soon")
    return good("sync", took)


def certificate(facts: Facts) -> Check:
    found = facts.certificate
    if facts.config is None or found is None:
        return unknown("certificate", _SETTINGS_FIRST)
    ends = f"for {found.name}, ends on {found.ends:%Y-%m-%d}"
    if not facts.clock.synced:
        return unknown("certificate", f"{ends}; whether that is past cannot be told before the clock is right")
    left = found.ends - facts.clock.at
    again = "sudo door-agent enrol, ticking This replaces the box that was there" if found.renews else "new files of door-files"
    if left <= timedelta(0):
        return to_do("certificate", f"{ends}: it has ended, and the door decides alone: {again}")
    if left < WARN_BEFORE:
        return to_do("certificate", f"{ends}, and was not renewed: connect the door; if that does not help, {again}")
    if not found.renews:
        return good("certificate", f"{ends}; it does not renew itself, for the box was not enrolled")
    return good("certificate", f"{ends}, renews itself from {found.ends - RENEW_BEFORE:%Y-%m-%d} on")


def broker(facts: Facts) -> Check:
    found = facts.broker
    if facts.config is None or found is None:
        return unknown("broker", _SETTINGS_FIRST)
    if found.trouble is None:
        return good("broker", f"{found.address} took the door's certificate in {found.seconds * 1000:.0f} ms")
    if found.revoked:
        why = "the hub took this box's certificate back: another box is the door now, or this one was reported stolen"
        return to_do("broker", f"{found.address}: {why}; to make it a door again: sudo door-agent enrol")
    hint = "" if facts.clock.synced else "; the clock is not right, and certificates have dates: see to that first"
    return to_do("broker", f"{found.address}: {found.trouble}; see to network, broker.host and firewall{hint}")


def versions(facts: Facts) -> Check:
    found = facts.versions
    said = f"agent {found.agent}, Python {found.python} ({found.bits} bit, {found.machine}), {found.system or 'system unknown'}"
    said += f", pcscd {found.pcscd}" if found.pcscd else ""
    if found.bits != 64:
        return to_do("versions", f"{said}: install the 64-bit Raspberry Pi OS")
    if found.debian not in _TRIED_DEBIANS:
        return unknown("versions", f"{said}: the agent was tried with Debian 12 and 13")
    return good("versions", said)


def service(facts: Facts) -> Check:
    """The unit starts at each start of the Pi, runs now, and is watched."""
    if facts.unit is None:
        return unknown("service", "systemd does not answer here")
    unit = facts.unit
    if unit["LoadState"] != "loaded":
        return to_do("service", "the unit door-agent.service is not installed: install the package hubkey-door")
    troubles = []
    if unit.get("UnitFileState") not in ("enabled", "enabled-runtime"):
        troubles.append("it does not start with the Pi: sudo systemctl enable door-agent")
    if unit.get("ActiveState") != "active":
        troubles.append(f"it is {unit.get('ActiveState')} ({unit.get('SubState')}): sudo systemctl restart door-agent")
    elif unit.get("WatchdogUSec", "0") in ("0", "infinity", ""):  # systemd knows it of a unit that runs, and of no other
        troubles.append("the watchdog is off: take WatchdogSec=0 out of /etc/systemd/system/door-agent.service.d")
    return one("service", troubles, f"enabled, running, watched; started anew {unit.get('NRestarts', '0')} times")


def agent(facts: Facts) -> Check:
    """What the running agent says itself."""
    if facts.config is None:
        return unknown("agent", _SETTINGS_FIRST)
    if facts.runs is False:
        return to_do("agent", "it does not run: sudo systemctl start door-agent; journalctl -u door-agent says why")
    if facts.told is None:
        return unknown("agent", "it runs, and its local page does not answer" if facts.runs else "it may not run")
    if facts.told.door != facts.config.door:
        return to_do("agent", f"status_port belongs to the door {facts.told.door!r}: choose a free port")
    needs = [f"{one.sentence} [{one.about}{': ' if one.cause else ''}{one.cause}]" for one in facts.told.needs]
    if not facts.told.link_up:
        needs.append("The door is offline: see the checks of certificate and broker.")
    return one("agent", needs, "runs, is online, and nothing needs attention")
