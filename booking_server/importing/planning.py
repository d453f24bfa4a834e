# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a file would change, row by row: the very plan that is carried out, so that what was shown is what is done.

It reads and changes nothing. Who a row means: by the external id, else by the e-mail; never guessed from a name. A cell left
empty leaves what is there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from sqlalchemy import Connection

from access_contract.vocabulary import TagNumber
from booking_server.access import many as access_many
from booking_server.access import service as access
from booking_server.access.service import Grant
from booking_server.actors import Actor
from booking_server.errors import Invalid
from booking_server.importing import cells, external
from booking_server.importing.cells import Wanted
from booking_server.importing.reading import Sheet
from booking_server.importing.rules import Column
from booking_server.keys import Vault
from booking_server.people import many as people
from booking_server.people.many import Known, Values
from booking_server.places import naming
from booking_server.places import service as places
from booking_server.tags import many as tags

FIELDS = {
    Column.NAME: "name",
    Column.EMAIL: "email",
    Column.LANGUAGE: "language",
    Column.ADDRESS: "address",
    Column.CUSTOMER: "customer_name",
    Column.BUSINESS_ID: "business_id",
}


class FateKind(StrEnum):
    """What becomes of a row."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a file is read. With `roster` it may change and end only what a roster gave. `access` and `address` stand where a row
    names none; names of places are looked for at `site_id` (None: everywhere)."""

    language: str
    today: date
    site_id: int | None = None
    roster: bool = False
    access: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that a row changes: a field, keytag, access or access_ended, from what to what; days as 24.12.2026."""

    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Access that a row gives."""

    area_id: int
    from_day: date
    until_day: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of one row, shown (`changes`, `refusals`) and to be done (the rest)."""

    number: int
    kind: FateKind
    name: str
    person_id: int | None = None
    changes: tuple[Change, ...] = ()
    refusals: tuple[Invalid, ...] = ()
    values: Values | None = None
    external_id: str = ""
    keytags: tuple[TagNumber, ...] = ()
    access: tuple[Access, ...] = ()
    withdraw: tuple[Grant, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Somebody whom the roster names no more, and the access from it that ends."""

    person_id: int
    name: str
    grants: tuple[Grant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that a file would do. `held` people have access from the roster now; `losing` of them would have none after it."""

    sheet: Sheet
    fates: tuple[Fate, ...]
    roster: bool = False
    endings: tuple[Ending, ...] = ()
    held: int = 0
    losing: int = 0

    def of_kind(self, kind: FateKind) -> list[Fate]:
        return [fate for fate in self.fates if fate.kind is kind]

    @property
    def refused(self) -> list[Fate]:
        return self.of_kind(FateKind.REFUSED)

    @property
    def does_nothing(self) -> bool:
        return not self.endings and all(fate.kind in (FateKind.SAME, FateKind.REFUSED) for fate in self.fates)

    @property
    def counts(self) -> dict[str, int]:
        """Return how many rows there are, of each kind, and how many people lose access."""
        return {
            "rows": len(self.fates),
            **{kind.value: len(self.of_kind(kind)) for kind in FateKind},
            "ended": self.losing,
        }

    @property
    def digest(self) -> str:
        """Return what tells whether this is still what was shown: the file's own bytes, and all that it would change."""
        told = [[fate.number, fate.kind, fate.person_id, [_told(one) for one in fate.changes]] for fate in self.fates]
        refused = [[fate.number, [str(one) for one in fate.refusals]] for fate in self.refused]
        ends = [[one.person_id, [grant.id for grant in one.grants]] for one in self.endings]
        return hashlib.sha256(json.dumps([self.sheet.digest, told, refused, ends]).encode()).hexdigest()[:32]


@dataclass(slots=True)
class _Desk:
    """All that is there, as one plan reads it, and what its rows took so far."""

    options: Options
    areas: Mapping[str, tuple[int, ...]]
    area_names: Mapping[int, str]
    people: Mapping[int, Known]
    by_email: Mapping[str, list[int]]
    ids: external.Ids
    grants: Mapping[int, list[Grant]]
    tags: Mapping[TagNumber, tags.Found] = field(default_factory=dict)
    emails_seen: dict[str, int] = field(default_factory=dict)
    emails_taken: dict[str, int] = field(default_factory=dict)
    ids_taken: dict[str, int] = field(default_factory=dict)
    tags_taken: dict[TagNumber, int] = field(default_factory=dict)
    people_taken: dict[int, int] = field(default_factory=dict)


def plan(tx: Connection, actor: Actor, *, vault: Vault, sheet: Sheet, options: Options) -> Plan:
    """Return what a file would do now. Raise NotAllowed; Invalid at "file" for a roster without external ids."""
    if options.roster and Column.EXTERNAL_ID not in sheet.columns:
        raise Invalid("file", "A roster needs the column external id: without it nobody can be known the next night.")
    desk = _desk(tx, actor, options)
    read = [cells.wanted(line, desk.areas, access=options.access) for line in sheet.lines]
    desk.tags = tags.known(tx, vault, {number for row, _ in read for number in row.keytags})
    fates = tuple(_fate(desk, row, list(wrong)) for row, wrong in read)
    if not options.roster:
        return Plan(sheet=sheet, fates=fates)
    return _with_endings(desk, Plan(sheet=sheet, fates=fates, roster=True), {row.external_id for row, _ in read})


def _desk(tx: Connection, actor: Actor, options: Options) -> _Desk:
    everybody, areas = people.known(tx, actor), places.areas(tx)
    by_email: dict[str, list[int]] = {}
    for one in everybody.values():
        by_email.setdefault(one.values.email.casefold(), []).append(one.id)
    grants: dict[int, list[Grant]] = {}
    for grant in access.grants(tx):
        grants.setdefault(grant.person_id, []).append(grant)
    return _Desk(
        options=options,
        areas=_named(areas, options.site_id),
        area_names=naming.full_names(areas),
        people=everybody,
        by_email=by_email,
        ids=external.ids(tx),
        grants=grants,
    )


def _named(areas: Sequence[places.Area], site_id: int | None) -> dict[str, tuple[int, ...]]:
    """Return what each name may mean: a place's own, and the whole one from its site down, with / or ›, or after its site."""
    full, sites = naming.full_names(areas), {area.site_id: area.name for area in areas if area.parent_id is None}
    found: dict[str, list[int]] = {}
    for area in areas:
        if site_id not in (None, area.site_id):
            continue
        whole = full[area.id]
        names = {area.name, whole, whole.replace(naming.ARROW, "/"), f"{sites[area.site_id]}/{area.name}"}
        for name in {" ".join(one.split()).casefold() for one in names}:
            found.setdefault(name, []).append(area.id)
    return {name: tuple(ids) for name, ids in found.items()}


def _fate(desk: _Desk, row: Wanted, wrong: list[Invalid]) -> Fate:
    person = _person(desk, row, wrong)
    values, changes = _values(desk, row, person, wrong)
    named = values.name if values else row.text.get(Column.NAME, "")
    new_tags = _keytags(desk, row, person, wrong)
    given, ended = _access(desk, row, person)
    if wrong:
        return Fate(number=row.number, kind=FateKind.REFUSED, name=named, refusals=tuple(wrong))
    changes += [Change(what="keytag", before="", after=f"…{number.last_digits}") for number in new_tags]
    changes += [Change(what="access", before="", after=_said(desk, one)) for one in given]
    changes += [Change(what="access_ended", before=_said(desk, one), after="") for one in ended]
    external_id = row.external_id if person is None or person.id not in desk.ids.of_person else ""
    if external_id:
        changes.append(Change(what="external_id", before="", after=external_id))
    differs = person is None or values != person.values
    return Fate(
        number=row.number,
        kind=FateKind.NEW if person is None else FateKind.CHANGED if changes else FateKind.SAME,
        name=named,
        person_id=person.id if person else None,
        changes=tuple(changes),
        values=values if differs else None,
        external_id=external_id,
        keytags=new_tags,
        access=given,
        withdraw=ended,
    )


def _person(desk: _Desk, row: Wanted, wrong: list[Invalid]) -> Known | None:
    """Return whom a row means; None for somebody new. What forbids to know is put into `wrong`."""
    email = row.text.get(Column.EMAIL, "").casefold()
    if not row.external_id and (desk.options.roster or not email):
        which = Column.EXTERNAL_ID if desk.options.roster else Column.EMAIL
        wrong.append(Invalid(which.value, "Without it nobody can say who this is. Fill it in."))
        return None
    _take(desk, row, email, wrong)
    number = desk.ids.of_id.get(row.external_id) if row.external_id else None
    if number is None:
        number = _by_email(desk, row, email, wrong)
    if number is None:
        return None
    if number in desk.people_taken:
        wrong.append(Invalid("row", "This is the same person as in row {row}. Keep one.", row=desk.people_taken[number]))
    desk.people_taken.setdefault(number, row.number)
    if desk.people[number].ended:
        wrong.append(Invalid("row", "This person's membership has ended for good. Nothing can be given to them."))
    return desk.people[number]


def _take(desk: _Desk, row: Wanted, email: str, wrong: list[Invalid]) -> None:
    """Refuse a second row for one person. Two may share an address only if both have an id; what is none is told as such."""
    email = email if "@" in email else ""
    first = desk.ids_taken.get(row.external_id) if row.external_id else desk.emails_seen.get(email)
    if row.external_id and first is None:
        first = desk.emails_taken.get(email)
    if first is not None:
        column = "external_id" if row.external_id in desk.ids_taken else "email"
        wrong.append(Invalid(column, "The same stands in row {row}. Keep one row for each person.", row=first))
    if row.external_id:
        desk.ids_taken.setdefault(row.external_id, row.number)
    elif email:
        desk.emails_taken.setdefault(email, row.number)
    if email:
        desk.emails_seen.setdefault(email, row.number)


def _by_email(desk: _Desk, row: Wanted, email: str, wrong: list[Invalid]) -> int | None:
    """Who is known under another external id is somebody else who shares the address, as a family does."""
    alike = [one for one in desk.by_email.get(email, []) if email and not (row.external_id and one in desk.ids.of_person)]
    if len(alike) > 1:
        same = [one for one in alike if desk.people[one].values.name == row.text.get(Column.NAME)]
        alike = same if len(same) == 1 else alike
    if len(alike) > 1:
        wrong.append(Invalid("email", "{count} people have this e-mail. Change it on their pages first.", count=len(alike)))
    if alike and desk.options.roster:
        wrong.append(
            Invalid(
                "email",
                "Somebody with this e-mail is here already and is not from the roster. Import this row by hand once, with its"
                " external id; then the roster knows them.",
            )
        )
    return alike[0] if alike else None


def _values(desk: _Desk, row: Wanted, person: Known | None, wrong: list[Invalid]) -> tuple[Values | None, list[Change]]:
    given = {FIELDS[column]: text for column, text in row.text.items()}
    usual = Values(name="", email="", language=desk.options.language, address=desk.options.address)
    before = person.values if person else usual
    told = {one.field for one in wrong}
    after, problems = people.checked(replace(before, **given))
    if person is not None:
        problems = tuple(one for one in problems if one.field in given)
    wrong += [one.at(_COLUMN.get(one.field, one.field)) for one in problems if one.field not in told]
    if after.customer_name == after.name:
        after = replace(after, customer_name="")
    if problems:
        return after if after.name else None, []
    if person is None:
        return after, []
    changes = [
        Change(what=column.value, before=getattr(before, name), after=getattr(after, name))
        for column, name in FIELDS.items()
        if name in given and getattr(before, name) != getattr(after, name)
    ]
    return (after if changes else before), changes


_COLUMN = {"customer_name": "customer"}


def _keytags(desk: _Desk, row: Wanted, person: Known | None, wrong: list[Invalid]) -> tuple[TagNumber, ...]:
    """Return the row's keytags that its person does not hold yet."""
    new: list[TagNumber] = []
    for number in row.keytags:
        found = desk.tags.get(number)
        problem = tags.refusal(number, found, person.id if person else None)
        if problem is None and number in desk.tags_taken:
            problem = Invalid(
                "keytag", "The keytag ending in {digits} stands in row {row} too.", digits=f"…{number.last_digits}",
                row=desk.tags_taken[number],
            )  # fmt: skip
        if problem is not None:
            wrong.append(problem.at("keytag"))
        elif found is None or found.person_id is None:
            new.append(number)
        desk.tags_taken.setdefault(number, row.number)
    if new and person is not None and person.suspended:
        wrong.append(Invalid("keytag", "This person is suspended. Resume the membership first."))
    return tuple(new)


def _access(desk: _Desk, row: Wanted, person: Known | None) -> tuple[tuple[Access, ...], tuple[Grant, ...]]:
    """Return what access a row gives, and of the roster's what it ends. Access that is over already is not given."""
    held = desk.grants.get(person.id, []) if person else []
    mine = _rosters(desk, held) if desk.options.roster else held
    over = row.until_day is not None and row.until_day < desk.options.today
    kept: set[int] = set()
    given: list[Access] = []
    for area in () if over else row.area_ids:
        same = next((one.id for one in mine if _is_that(one, area, row, desk.options.today)), None)
        if same is None:
            first = row.from_day or desk.options.today
            given.append(Access(area_id=area, from_day=first, until_day=row.until_day))
        else:
            kept.add(same)
    ended = tuple(one for one in mine if one.id not in kept) if desk.options.roster else ()
    return tuple(given), ended


def _rosters(desk: _Desk, grants: Sequence[Grant]) -> list[Grant]:
    """Return those that the roster gave and that are not over."""
    today = desk.options.today
    return [one for one in grants if one.id in desk.ids.grants and (one.until_day is None or one.until_day >= today)]


def _is_that(grant: Grant, area: int, row: Wanted, today: date) -> bool:
    """True if a grant is what a row asks for. One without a first day asks for access from now on."""
    begins = grant.from_day == row.from_day if row.from_day else grant.from_day <= today
    return grant.area_id == area and begins and grant.until_day == row.until_day and access_many.is_plain(grant)


def _with_endings(desk: _Desk, made: Plan, named: set[str]) -> Plan:
    """Add who is in the roster no more, and count who loses all that it gave. A refused row still names its person."""
    holding = {person: mine for person, grants in desk.grants.items() if (mine := _rosters(desk, grants))}
    endings = tuple(
        Ending(person_id=person, name=desk.people[person].values.name, grants=tuple(grants))
        for person, grants in sorted(holding.items())
        if desk.ids.of_person.get(person) not in named
    )
    emptied = [
        fate
        for fate in made.fates
        if fate.person_id in holding and not fate.access and len(fate.withdraw) == len(holding[fate.person_id])
    ]
    return replace(made, endings=endings, held=len(holding), losing=len(endings) + len(emptied))


def _said(desk: _Desk, given: Access | Grant) -> str:
    until = f"{given.until_day:%-d.%-m.%Y}" if given.until_day else ""
    return f"{desk.area_names[given.area_id]} {given.from_day:%-d.%-m.%Y}–{until}"


def _told(change: Change) -> list[str]:
    return [change.what, change.before, change.after]
