# SPDX-License-Identifier: AGPL-3.0-or-later
"""Erases a person as far as the books allow, in one transaction, and says what went, what stays, why, and until when.

What was shown before is what is done: the preview is the act itself, undone. It cannot be taken back. What had to stay goes by
itself once its time is over (`go_on`). A person is then a number; backups keep the name until they are too old to be kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, insert, select, update

from booking_server.access import changes
from booking_server.access import personal as access
from booking_server.accounts import personal as accounts
from booking_server.actors import SYSTEM, Actor
from booking_server.audit import personal as audits
from booking_server.audit import service as audit
from booking_server.bookings import personal as bookings
from booking_server.config import Config, Privacy
from booking_server.doors import personal as doors
from booking_server.doors import service as door_service
from booking_server.errors import Invalid
from booking_server.importing import personal as importing
from booking_server.invoices import personal as invoices
from booking_server.ledger import forgetting
from booking_server.ledger import personal as ledger
from booking_server.messages import personal as messages
from booking_server.people import personal as people
from booking_server.people import service as people_service
from booking_server.personal import Who
from booking_server.privacy import asking, freezing, links, subjects
from booking_server.privacy.tables import erasures
from booking_server.tags import personal as tags

PENDING_DAYS = 2
"""After how many days at most a tap goes that is only too young: entries of one day may still be merged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """What has to stay, how much of it, why, and through which day; None: until the month it belongs to was closed."""

    what: str
    count: int
    why: str
    until: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What went (how many of what), and what stays."""

    went: dict[str, int]
    stays: tuple[Stay, ...]

    @property
    def digest(self) -> str:
        """Return what tells whether this is still what somebody was shown."""
        told = json.dumps([self.went, [asdict(stay) for stay in self.stays]], default=str, sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:32]


def preview(tx: Connection, actor: Actor, *, now: datetime, config: Config, person_id: int) -> Erasure:
    """Return what erasing would do now; nothing is done. Raise Invalid; NotFound; NotAllowed."""
    who = _may_erase(tx, actor, person_id)
    with tx.begin_nested() as undone:
        found = _erase(tx, actor, now=now, config=config, who=who)
        undone.rollback()
    return found


def erase_person(tx: Connection, actor: Actor, *, now: datetime, config: Config, person_id: int, shown: str) -> Erasure:
    """Erase a person. `shown` is the digest of what was shown before; is it another by now, nothing is done.

    Raise Invalid at "shown"; NotFound; NotAllowed.
    """
    if preview(tx, actor, now=now, config=config, person_id=person_id).digest != shown:
        raise Invalid("shown", "Something has changed since this page was shown. Look at it again.")
    done = _erase(tx, actor, now=now, config=config, who=_may_erase(tx, actor, person_id))
    changes.note_change(tx, now=now, cause="person_erased", person_id=person_id)
    audit.note(tx, actor, now=now, act="person_erased", subject=f"person:{person_id}", went=done.went)
    _keep(tx, actor, now, person_id, done)
    return done


def erasure_of(tx: Connection, person_id: int) -> tuple[datetime, Erasure] | None:
    """Return when a person was erased and how it stands; None if they were not."""
    row = tx.execute(select(erasures).where(erasures.c.person_id == person_id)).one_or_none()
    if row is None:
        return None
    stays = tuple(Stay(**{**one, "until": date.fromisoformat(one["until"]) if one["until"] else None}) for one in row.stays)
    return row.at, Erasure(went=row.went, stays=stays)


def go_on(tx: Connection, *, now: datetime, config: Config) -> int:
    """Drop what had to stay and whose time is over, of everybody who was erased; return of how many something went."""
    went = 0
    for number in tx.execute(select(erasures.c.person_id).where(~erasures.c.complete)).scalars().all():
        done = _erase(tx, SYSTEM, now=now, config=config, who=subjects.who(tx, number))
        tags.drop_old(tx, [number], before=now - timedelta(days=config.privacy.contest_days))
        went += any(done.went.values())
        _keep(tx, SYSTEM, now, number, done)
    return went


def erase_ended(tx: Connection, *, now: datetime, config: Config) -> int:
    """Erase everybody whose membership ended longer ago than the settings say; return how many.

    Who still works here keeps the account, and so the name: an administrator closes it first.
    """
    before = now - timedelta(days=config.privacy.ended_days)
    ended = [number for number in people.ended_before(tx, before) if not accounts.is_staff(tx, number)]
    for number in ended:
        shown = preview(tx, SYSTEM, now=now, config=config, person_id=number).digest
        erase_person(tx, SYSTEM, now=now, config=config, person_id=number, shown=shown)
    return len(ended)


def _may_erase(tx: Connection, actor: Actor, person_id: int) -> Who:
    actor.must_be_everywhere()
    who = subjects.who(tx, person_id)
    if actor.account_id in who.account_ids:
        raise Invalid("person_id", "You cannot erase yourself. Ask another administrator.")
    return who


def _erase(tx: Connection, actor: Actor, *, now: datetime, config: Config, who: Who) -> Erasure:
    """Everything that ends is ended first, while names still stand; then what names is dropped."""
    person, held = who.person_id, freezing.spans(tx, now=now)
    email = people_service.person(tx, SYSTEM, person).email
    went = {
        "access": access.end(tx, actor, now=now, person_id=person),
        "keytags": tags.end(tx, actor, now=now, person_id=person),
        "bookings": bookings.end(tx, actor, now=now, person_id=person),
    }
    people.end(tx, actor, now=now, person_id=person)
    new_names = {name: accounts.dropped_name(number) for number, name in zip(who.account_ids, who.sign_in_names, strict=True)}
    went |= {
        "purposes": bookings.drop_purposes(tx, person),
        "taps": forgetting.forget_person(tx, now=now, person_id=person, frozen=[span for _, span in held]),
        "links": links.forget(tx, now=now, days=config.privacy.contest_days, person_id=person),
        "accounts": accounts.drop(tx, who, email=email),
        "messages": messages.drop(tx, who),
        "wishes": asking.drop(tx, who, now=now),
        "imported": importing.drop(tx, who),
        "acts": sum(rename(tx, new_names) for rename in (audits.rename, doors.rename, asking.rename, importing.rename)),
        "name": people.drop_name(tx, person),
    }
    stays = _stays(tx, now, config.privacy, who, held)
    if not any(one.what == "customer" for one in stays):
        went["customer"] = sum(people.drop_customer(tx, number) for number in who.customer_ids)
    return Erasure(went=went, stays=tuple(stays))


def _stays(
    tx: Connection, now: datetime, rules: Privacy, who: Who, held: list[tuple[freezing.Freeze, forgetting.Frozen]]
) -> list[Stay]:
    """Say what is left that names the person, why, and until when."""
    found = [*_invoiced(tx, now, rules, who), *_entered(tx, now, rules, who)]
    named = ledger.named_taps(tx, who.person_id)
    frozen = ledger.frozen_taps(tx, who.person_id, [span for _, span in held])
    if frozen:
        until = max(one.kept_until for one, span in held if ledger.frozen_taps(tx, who.person_id, [span]))
        found.append(Stay(what="taps", count=frozen, why="frozen", until=until))
    if named > frozen:
        waits = max((door.log_days for door in door_service.doors(tx)), default=0) if ledger.awaited(tx, who.person_id) else 0
        last = ledger.last_tap(tx, who.person_id) or now
        until = (last + timedelta(days=max(waits, PENDING_DAYS))).date()
        found.append(Stay(what="taps", count=named - frozen, why="pending", until=until))
    return found


def _invoiced(tx: Connection, now: datetime, rules: Privacy, who: Who) -> Iterator[Stay]:
    """Invoices stay while the books need them; who pays stays known while something may still be said about a bill."""
    today = now.date()
    for customer in who.customer_ids:
        issued = invoices.issued(tx, customer)
        ends = [end for end in (invoices.books_until(on, rules.books_years) for on, _ in issued) if end >= today]
        if ends:
            yield Stay(what="invoices", count=len(ends), why="books", until=max(ends))
        contested = [due + timedelta(days=rules.contest_days) for _, due in issued]
        if not people.customer_is_known(tx, customer):
            continue
        if links.not_counted(tx, now=now, person_id=who.person_id):
            yield Stay(what="customer", count=1, why="not_invoiced", until=None)
        elif contested and max(contested) >= today:
            yield Stay(what="customer", count=1, why="contest", until=max(contested))


def _entered(tx: Connection, now: datetime, rules: Privacy, who: Who) -> Iterator[Stay]:
    count = ledger.links(tx, who.person_id)
    if count:
        until = links.until(tx, now=now, days=rules.contest_days, person_id=who.person_id)
        yield Stay(what="links", count=count, why="contest" if until else "not_invoiced", until=until)


def _keep(tx: Connection, actor: Actor, now: datetime, person_id: int, done: Erasure) -> None:
    stays = [{**asdict(one), "until": one.until.isoformat() if one.until else None} for one in done.stays]
    known = tx.execute(select(erasures.c.went).where(erasures.c.person_id == person_id)).scalar()
    if known is None:
        row = {"person_id": person_id, "at": now, "by": actor.name, "went": done.went}
        tx.execute(insert(erasures).values(**row, stays=stays, complete=False))
        return
    went = {what: known.get(what, 0) + count for what, count in done.went.items()}
    complete = not stays and not tags.ever_held(tx, person_id)
    this = erasures.c.person_id == person_id
    tx.execute(update(erasures).where(this).values(went=went, stays=stays, complete=complete))
