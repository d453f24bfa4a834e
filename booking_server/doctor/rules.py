# SPDX-License-Identifier: AGPL-3.0-or-later
"""How is each part of the server, and what is to be done? Pure, of facts. What is not known is said to be so, never well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from booking_server.doctor.certificate_rules import certificates
from booking_server.doctor.facts import DatabaseFact, Facts, Room, UnitFact
from booking_server.doctor.finding import Finding, fault, ok, unknown, warning

BEHIND_MOST = timedelta(seconds=5)
WAL_BYTES_MOST = 256 * 10**6
FREE_WARNING, FREE_FAULT = (0.05, 500 * 10**6), (0.01, 100 * 10**6)
"""The part of a disk, and the bytes, below which it is short."""
BACKUP_WARNING, BACKUP_FAULT = timedelta(hours=36), timedelta(days=7)
MAIL_WAITS_MOST = timedelta(hours=1)
DOOR_AWAY_MOST = timedelta(hours=24)
_DEMO = "a demo's is not looked at"


def judged(facts: Facts) -> list[Finding]:
    """Return what was found, in the order in which one would go about it."""
    return [
        *_files(facts),
        keys(facts),
        clock(facts),
        *disks(facts),
        database(facts.database),
        *certificates(facts),
        *units(facts),
        broker(facts),
        web(facts),
        mail(facts),
        backup(facts),
        versions(facts),
        doors(facts),
    ]


def _files(facts: Facts) -> Iterator[Finding]:
    """The state folder is its owner's alone, all in it is that owner's, and no secret can be read by others."""
    folder = facts.folder
    if folder is None:
        to_do = "make it with: booking-server init; if it is there, run this as root or as the user that owns it"
        yield fault("state folder", f"{facts.config.state_folder} is not there, or may not be looked into", to_do)
        return
    if folder.mode & 0o077:
        yield fault(
            "state folder", f"{folder.path} can be looked into by others than {folder.owner}", f"chmod 700 {folder.path}"
        )
    foreign = [file.path for file in facts.files if file.inside and file.owner != folder.owner]
    if foreign:
        says = f"{_some(foreign)} in it belong to others than {folder.owner}, whose processes cannot use them"
        yield fault("state folder", says, f"chown -R {folder.owner}: {folder.path}")
    readable = [file for file in facts.files if file.secret and file.mode & (0o077 if file.inside else 0o007)]
    readable = [file for file in readable if file.inside or not facts.config.demo]
    for file in readable:
        yield fault("secrets", f"{file.path} can be read by others", f"chmod {'600' if file.inside else 'o='} {file.path}")
    for missing in facts.missing:
        yield fault("settings", f"{missing}, which is not there", "make it, or correct the setting")
    if not (folder.mode & 0o077 or foreign or readable or facts.missing):
        yield ok("files", f"{folder.path} is for {folder.owner} alone, and no secret can be read by others")


def keys(facts: Facts) -> Finding:
    if facts.keys is not None:
        return fault("keys", facts.keys, "without its keys the server cannot speak to any door: put them back first")
    return ok("keys", "the server's keys are there")


def clock(facts: Facts) -> Finding:
    """It is kept in step, and not behind what was already written."""
    newest, at = facts.database.newest_at, f"{facts.now:%Y-%m-%d %H:%M:%S}Z"
    if newest is not None and newest - facts.now > BEHIND_MOST:
        says = f"it says {at}, but the database already knows {newest:%Y-%m-%d %H:%M:%S}Z"
        return fault(
            "clock", says, "see which is right (timedatectl); a clock that was ahead for a while needs nothing but time"
        )
    if facts.config.demo:
        return unknown("clock", _DEMO)
    if facts.is_synced is None:
        return unknown("clock", f"{at}; this machine does not tell whether it is kept in step")
    if not facts.is_synced:
        to_do = "apt install systemd-timesyncd (or chrony) and let it reach a time server; `timedatectl` must say synchronized"
        return warning("clock", f"{at}, and nothing keeps it in step", to_do)
    return ok("clock", f"{at}, kept in step")


def disks(facts: Facts) -> Iterator[Finding]:
    for room in facts.rooms:
        yield _disk(room)


def _disk(room: Room) -> Finding:
    said = f"{room.folder} ({room.what}): {room.free_bytes // 10**6} of {room.bytes // 10**6} MB free"
    to_do = "free space: journalctl --vacuum-size=200M, apt clean, move old backups away; or a larger disk"
    if room.read_only:
        return fault("disk", f"{said}, and it is read-only", "see `dmesg` for why; a disk that failed is to be replaced")
    if room.files and room.free_files < 0.05 * room.files:
        return warning("disk", f"{said}, but only {room.free_files} files more", "delete what makes so many small files")
    if _is_short(room, *FREE_FAULT):
        return fault("disk", f"{said}: soon nothing can be stored", to_do)
    if _is_short(room, *FREE_WARNING):
        return warning("disk", said, to_do)
    return ok("disk", said)


def _is_short(room: Room, part: float, free_bytes: int) -> bool:
    return room.free_bytes < min(part * room.bytes, 40 * free_bytes) or room.free_bytes < free_bytes


def database(found: DatabaseFact) -> Finding:
    if found.trouble is not None:
        return fault("database", f"{found.where}: {found.trouble}", "see to the setting `database`, and that it runs")
    if found.damage is not None:
        to_do = "stop the server (systemctl stop 'booking-server-*'), keep a copy of the file, and restore the last backup"
        return fault("database", f"{found.where} is damaged: {found.damage}", to_do)
    if found.revision is None:
        return fault("database", f"{found.where} has no tables", "booking-server database upgrade")
    if not found.is_known:
        to_do = "install the version that this database was used with, or restore a backup of this version"
        return fault("database", f"{found.where} is of a newer version ({found.revision}) than this one ({found.head})", to_do)
    if found.revision != found.head:
        to_do = "booking-server database upgrade"
        return fault("database", f"{found.where} is of an older version ({found.revision}) than this one ({found.head})", to_do)
    return _database_size(found)


def _database_size(found: DatabaseFact) -> Finding:
    size = "" if found.bytes is None else f", {found.bytes // 10**6} MB"
    said = f"{found.where}: tables of {found.revision}{size}"
    if (found.wal_bytes or 0) > WAL_BYTES_MOST:
        to_do = "something reads it for very long: systemctl restart booking-server-web booking-server-doors"
        return warning("database", f"{said}, and {(found.wal_bytes or 0) // 10**6} MB not yet brought into it", to_do)
    if found.unlooked:
        return unknown("database", f"{said}; too large to be looked through here: sqlite3 {found.where} 'pragma quick_check'")
    return ok("database", said)


def units(facts: Facts) -> Iterator[Finding]:
    """What is installed as a unit is on, and starts with the machine."""
    if facts.units is None:
        yield unknown("units", "systemd does not answer here")
    elif not facts.units:
        yield unknown("units", "none of booking-server-* is installed")
    else:
        troubles = [found for one in facts.units if (found := _unit(one)) is not None]
        yield from troubles or [ok("units", f"{len(facts.units)} are on and start with the machine")]


def _unit(unit: UnitFact) -> Finding | None:
    if unit.active == "failed" or (unit.active != "active" and unit.enabled == "enabled"):
        to_do = f"systemctl restart {unit.name}; why it ended: journalctl -u {unit.name} -n 30"
        return fault("units", f"{unit.name} is {unit.active}", to_do)
    if unit.enabled not in ("enabled", "static", "generated"):
        return warning("units", f"{unit.name} does not start with the machine", f"systemctl enable --now {unit.name}")
    return None


def broker(facts: Facts) -> Finding:
    found = facts.broker
    if found is None:
        return unknown("broker", "it was not asked")
    if found.trouble is None:
        return ok("broker", f"{found.address} shows the right name and took this server's certificate")
    if not facts.broker_runs:
        return fault("broker", f"it does not run ({found.trouble})", "systemctl restart booking-server-broker")
    if found.wrong_name:
        to_do = "systemctl restart booking-server-broker; doors that were enrolled under another name: enrol again"
        return fault("broker", f"its certificate is not for {found.address}, as doors call it", to_do)
    to_do = "booking-server broker write; systemctl restart booking-server-broker booking-server-doors"
    return fault("broker", f"{found.address}: {found.trouble}", to_do)


def web(facts: Facts) -> Finding:
    """The pages answer, and do so at the address that people type."""
    found = facts.web
    if found is None:
        return unknown("web", "it was not asked")
    if found.trouble is not None:
        return fault("web", f"{found.address}: {found.trouble}", "systemctl restart booking-server-web")
    if facts.origin is not None and facts.origin.trouble is not None:
        to_do = "see to the web server before the pages (Caddy), its certificate, the name in the DNS, and web.address"
        return fault("web", f"the pages answer, but not at {facts.origin.address}: {facts.origin.trouble}", to_do)
    return ok("web", f"{found.address} answers" + (f", and so does {facts.origin.address}" if facts.origin else ""))


def mail(facts: Facts) -> Finding:
    settings, outbox, found = facts.config.mail, facts.database.outbox, facts.mail
    waits = f"{outbox.waiting} messages wait" if outbox is not None else "how many messages wait is not known"
    if settings.folder and not settings.server:
        return ok("mail", f"{waits}; they go into {settings.folder}, one file each")
    if found is None:
        return warning("mail", f"no mail is sent: mail.server is not set; {waits}", "set mail.server and mail.sender")
    if not settings.sender:
        return fault(
            "mail", "mail.sender is not set, and no server takes mail of nobody", "set mail.sender to an address of yours"
        )
    if found.trouble is not None:
        return fault("mail", f"{found.address}: {found.trouble}; {waits}", "see to the settings under [mail]; nothing is lost")
    since = outbox.trouble_since if outbox is not None else None
    if since is not None and facts.now - since > MAIL_WAITS_MOST:
        says = f"{found.address} answers, but has taken no mail since {_at(since)}; {waits}"
        return warning("mail", says, "the outbox on the pages says why; nothing is lost")
    if outbox is not None and outbox.oldest_at is not None and facts.now - outbox.oldest_at > MAIL_WAITS_MOST:
        says = f"{waits}, the oldest since {_at(outbox.oldest_at)}"
        return warning("mail", says, "systemctl restart booking-server-mail")
    return ok("mail", f"{found.address} lets us in; {waits}")


def backup(facts: Facts) -> Finding:
    if facts.config.demo:
        return unknown("backup", _DEMO)
    settings, last = facts.config.backup, facts.backup
    if not settings.recipient or not (settings.folder or settings.command):
        to_do = "set backup.recipient, and backup.folder or backup.command; docs/run-the-server.md shows how"
        return warning("backup", "none is made: with this disk everything would be lost", to_do)
    if last is None:
        to_do = "booking-server backup; systemctl enable --now booking-server-backup.timer"
        return warning("backup", "none was ever made", to_do)
    age, made = facts.now - last.at, f"the last one is of {_at(last.at)}"
    if age > BACKUP_WARNING:
        to_do = "journalctl -u booking-server-backup says why; then: booking-server backup"
        return (fault if age > BACKUP_FAULT else warning)("backup", f"{made}, {_days(age)} ago", to_do)
    if not last.is_there and not settings.command:
        return fault("backup", f"{made}, but {last.file} is not there any more", "booking-server backup")
    return ok("backup", made)


def versions(facts: Facts) -> Finding:
    """What runs is what is installed, and no door is newer than its server."""
    said = f"this is {facts.version}"
    old = [one for one in facts.processes if facts.installed_at is not None and one.since < facts.installed_at]
    if old and not facts.config.demo:
        names = ", ".join(sorted({one.command for one in old}))
        to_do = " ".join(["systemctl restart", *sorted({f"booking-server-{one.command}" for one in old})])
        return warning("versions", f"{said}, but {names} still run what was installed before", to_do)
    newer = [door.id for door in facts.database.doors if _number(door.version) > _number(facts.version)]
    if newer:
        return warning("versions", f"{said}, and {_some(newer)} are newer", "update the server: doors never go first")
    counted = Counter(door.version for door in facts.database.doors if door.version)
    boxes = ", ".join(f"{version} ({count})" for version, count in sorted(counted.items()))
    return ok("versions", f"{said}; doors run {boxes}" if boxes else said)


def doors(facts: Facts) -> Finding:
    heard = [door for door in facts.database.doors if door.online is not None]
    if not heard:
        return unknown("doors", "none was heard yet")
    away = [door for door in heard if not door.online]
    said = f"{len(heard) - len(away)} of {len(heard)} are there"
    long = [door for door in away if door.changed_at is not None and facts.now - door.changed_at > DOOR_AWAY_MOST]
    if len(away) == len(heard):
        return warning("doors", f"{said}: not one", "see to broker and doors above first, then to the network of the doors")
    if long:
        listed = _some([f"{door.id} since {_at(door.changed_at)}" for door in long if door.changed_at])
        return warning(
            "doors", f"{said}; away: {listed}", "see to power and network of that door; `door-agent doctor` there says more"
        )
    return ok("doors", said if not away else f"{said}; away for a moment: {_some([door.id for door in away])}")


def _number(version: str | None) -> tuple[int, ...]:
    """Return the numbers of a version, up to the first part that is none."""
    numbers: list[int] = []
    for part in (version or "").split("~")[0].split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")


def _at(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M}Z"


def _days(age: timedelta) -> str:
    return f"{age.days} days" if age.days > 1 else f"{int(age.total_seconds() // 3600)} hours"
