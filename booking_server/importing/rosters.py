# SPDX-License-Identifier: AGPL-3.0-or-later
"""The roster, read each night: who is in it gets in, who is in it no more does not. Access given by hand is never touched.

A file that cannot be read, names nobody, is old, or would end the access of many changes nothing: it is likelier broken than
true. Staff then see it on Today, administrators get mail, and a person says yes (`yes_all`) or mends the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from booking_server.accounts import service as accounts
from booking_server.actors import SYSTEM, Role
from booking_server.audit import service as audit
from booking_server.config import Config
from booking_server.db import Database
from booking_server.errors import Invalid
from booking_server.importing import runs
from booking_server.importing.applying import carry_out, lock
from booking_server.importing.planning import Options, Plan, plan
from booking_server.importing.reading import Sheet, sheet_of
from booking_server.importing.rules import FILE_BYTES_MAX
from booking_server.importing.runs import Run, Source, Trouble
from booking_server.keys import Vault
from booking_server.messages import service as messages
from booking_server.messages.service import Kind, Recipient
from booking_server.places import service as places

ALWAYS_END = 1
"""So many people may always lose access at once: of four, one who left is a quarter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What came of opening the file: a sheet, or why not."""

    sheet: Sheet | None = None
    trouble: Trouble | None = None
    why: tuple[Invalid, ...] = ()


def read_roster(database: Database, config: Config, vault: Vault, *, now: datetime, yes_all: bool = False) -> Run:
    """Do what the roster in the settings says, or nothing, and return what came of it, as it is kept.

    With `yes_all` age, emptiness and the number of people who lose access stop nothing. Raise Invalid at "site".
    """
    found = _read(Path(config.roster.file), config, now=now, yes_all=yes_all)
    with database.write() as tx:
        lock(tx)
        before = runs.last_of_roster(tx)
        made, trouble, why = _planned(tx, config, vault, found, now=now, yes_all=yes_all)
        if made is not None and trouble is None:
            carry_out(tx, SYSTEM, now=now, vault=vault, made=made)
        digest = found.sheet.digest if found.sheet else ""
        number = runs.keep(
            tx,
            SYSTEM,
            now=now,
            source=Source.ROSTER,
            file=config.roster.file,
            made=made,
            trouble=trouble,
            why=why,
            digest=digest,
        )
        done = runs.last_of_roster(tx)
        assert done is not None  # noqa: S101 - kept two lines above
        if trouble is not None or (made is not None and not made.does_nothing):
            act = "roster_stopped" if trouble else "roster_read"
            audit.note(tx, SYSTEM, now=now, act=act, subject=f"import:{number}", trouble=trouble, **done.counts)
        if trouble is not None or (done.counts.get("refused") and (before is None or before.digest != done.digest)):
            _tell(tx, config, done, now=now)
    return done


def options_of(tx: Connection, config: Config, now: datetime, *, site: str = "", roster: bool = False) -> Options:
    """Return how files are read in this hub; `site` is where places are looked for. Raise Invalid at "site"."""
    usual = Options(language=config.language, today=now.astimezone(ZoneInfo(config.time_zone)).date())
    site_id = None
    if site:
        named = [one.id for one in places.sites(tx) if one.name.casefold() == site.casefold()]
        if not named:
            known = ", ".join(one.name for one in places.sites(tx)) or "-"
            raise Invalid("site", "There is no site called {name}. There are: {known}.", name=repr(site), known=known)
        site_id = named[0]
    if not roster:
        return Options(language=usual.language, today=usual.today, site_id=site_id)
    return Options(
        language=usual.language,
        today=usual.today,
        site_id=site_id,
        roster=True,
        access=config.roster.access,
        address=config.roster.address,
    )


def _read(file: Path, config: Config, *, now: datetime, yes_all: bool) -> _Read:
    try:
        with file.open("rb") as opened:
            content = opened.read(FILE_BYTES_MAX + 1)
        written = datetime.fromtimestamp(file.stat().st_mtime, UTC)
        sheet = sheet_of(content)
    except OSError as error:
        closed = Invalid("file", "It cannot be read ({why}).", why=error.strerror)
        return _Read(trouble=Trouble.UNREADABLE, why=(closed,))
    except Invalid as problem:
        return _Read(trouble=Trouble.UNREADABLE, why=(problem,))
    if now - written > timedelta(days=config.roster.max_age_days) and not yes_all:
        old = Invalid("file", "It was written on {day}.", day=written.date().isoformat())
        return _Read(sheet=sheet, trouble=Trouble.OLD, why=(old,))
    if not sheet.lines and not yes_all:
        return _Read(sheet=sheet, trouble=Trouble.EMPTY)
    return _Read(sheet=sheet)


def _planned(
    tx: Connection, config: Config, vault: Vault, found: _Read, *, now: datetime, yes_all: bool
) -> tuple[Plan | None, Trouble | None, tuple[Invalid, ...]]:
    if found.sheet is None or found.trouble is not None:
        return None, found.trouble, found.why
    options = options_of(tx, config, now, site=config.roster.site, roster=True)
    try:
        made = plan(tx, SYSTEM, vault=vault, sheet=found.sheet, options=options)
    except Invalid as problem:
        return None, Trouble.UNREADABLE, (problem,)
    most = max(ALWAYS_END, made.held * config.roster.end_percent // 100)
    return made, Trouble.TOO_MANY if made.losing > most and not yes_all else None, ()


def _tell(tx: Connection, config: Config, run: Run, *, now: datetime) -> None:
    """Mail every administrator of the hub: once for each night that stopped, once for each file with refused rows."""
    for account in accounts.accounts(tx, SYSTEM):
        if account.closed or not account.actor().may_everywhere(Role.ADMINISTRATOR):
            continue
        messages.put(
            tx,
            now=now,
            kind=Kind.IMPORT_REPORT,
            to=Recipient(account_id=account.id),
            key=f"import:{run.id}:{account.id}",
            file=Path(run.file).name,
            at=now,
            added=run.counts.get("new", 0),
            changed=run.counts.get("changed", 0),
            ended=run.counts.get("ended", 0),
            refused=run.counts.get("refused", 0),
            stopped=run.trouble.value if run.trouble else "",
            where=f"{config.web.origin}/people/import",
        )
