# SPDX-License-Identifier: AGPL-3.0-or-later
"""What was found out about a hub's server, as plain values. What could not be found out is None."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from booking_server.config import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """What waits to be mailed, since when, and since when the mail server has not taken it."""

    waiting: int
    oldest_at: datetime | None
    trouble_since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorFact:
    """A door in use: whether it is heard now, since when it is as it is, and which version it runs. None: never heard."""

    id: str
    online: bool | None = None
    changed_at: datetime | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFact:
    """`trouble`: it cannot be used, and why. `revision` of its tables, `is_known` to this version. `damage` as SQLite says it;
    `unlooked` where looking through it would have taken too long."""

    where: str
    trouble: str | None = None
    revision: str | None = None
    head: str = ""
    is_known: bool = True
    damage: str | None = None
    unlooked: bool = False
    bytes: int | None = None
    wal_bytes: int | None = None
    newest_at: datetime | None = None
    doors: tuple[DoorFact, ...] = ()
    outbox: Outbox | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How much room is where something lies. A file system that counts no files has `files` 0."""

    what: str
    folder: str
    free_bytes: int
    bytes: int
    free_files: int
    files: int
    read_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFact:
    """A certificate: whose, until when, for which names and addresses."""

    name: str
    ends: datetime
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Something that was asked at `address`: `trouble` says why it did not answer as it should, None if it did."""

    address: str
    trouble: str | None = None
    seconds: float = 0.0
    wrong_name: bool = False
    certificate: CertificateFact | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFact:
    """A file or folder of the server's own, `inside` the state folder or elsewhere. `secret`: nobody else may read it."""

    path: str
    mode: int
    owner: str
    secret: bool
    inside: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupFact:
    """The last backup that was made."""

    at: datetime
    file: str
    is_there: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitFact:
    """What systemd says of a unit."""

    name: str
    active: str
    enabled: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessFact:
    """A process of this hub that runs, and since when."""

    command: str
    pid: int
    since: datetime


@dataclass(frozen=True, kw_only=True)
class Facts:
    """`now` is the hub's clock, which a demo turns; `machine_now` the machine's. `keys`: why the keys cannot be read."""

    config: Config
    now: datetime
    machine_now: datetime
    is_synced: bool | None = None
    keys: str | None = None
    database: DatabaseFact
    broker_runs: bool = False
    broker: Asked | None = None
    web: Asked | None = None
    origin: Asked | None = None
    mail: Asked | None = None
    certificates: tuple[CertificateFact, ...] = ()
    door_certificates: tuple[CertificateFact, ...] = ()
    rooms: tuple[Room, ...] = ()
    folder: FileFact | None = None
    files: tuple[FileFact, ...] = ()
    backup: BackupFact | None = None
    units: tuple[UnitFact, ...] | None = None
    processes: tuple[ProcessFact, ...] = ()
    version: str = ""
    installed_at: datetime | None = None
    missing: tuple[str, ...] = ()
