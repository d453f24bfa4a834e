# SPDX-License-Identifier: AGPL-3.0-or-later
"""Laws 7 and 8: whatever arrives after a closing, in whatever order, is each use charged once, and nothing twice?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import msgspec
import pytest

from access_contract.entries import Outcome
from access_contract.messages import FIRST_PREVIOUS, Booted, ClockSynced, Event, Passed, Tapped, What
from access_contract.vocabulary import AccessPointId, ClockQuality, tag_hash
from booking_server.billing import service as billing
from booking_server.billing.rules import Charge
from booking_server.doors import service as doors
from booking_server.doors.lookups import HubLookups
from booking_server.invoices.service import Invoice
from booking_server.ledger.ingest import ingest
from tests.booking_server.invoices.office import APRIL, BEGIN, BIRGIT, MARCH, MAY, Office

JUNE = "2026-06"
MONTHS = (MARCH, APRIL, MAY, JUNE)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
NEW_DAY = datetime(2026, 4, 1, 2, 0, tzinfo=UTC)
"""05:00 in Helsinki: March's last service day ends, April's first begins."""
ORDERS = range(12)


class Journal:
    """What one door wrote, to be sent in any order. Its clock counts from BEGIN; where it is not set, it shows what it may."""

    def __init__(self, office: Office, door: str) -> None:
        self.office, self.door, self.sequence, self.boot = office, door, 0, "boot-0"
        with office.desk.database.read() as tx:
            self.key = doors.tag_key(tx, office.desk.keys.vault, door)

    def event(self, what: What, at: datetime, shown: datetime | None = None) -> bytes:
        """Write one event; `shown`: what a clock that was not set showed then."""
        self.sequence += 1
        event = Event(
            journal=f"{self.door}-late",
            sequence=self.sequence,
            boot=self.boot,
            at=shown or at,
            monotonic_ms=(at - BEGIN) // timedelta(milliseconds=1) + 10**9,
            clock=ClockQuality.SYNCED if shown is None else ClockQuality.UNTRUSTED,
            previous=FIRST_PREVIOUS,
            what=what,
        )
        return msgspec.json.encode(event)

    def entry(self, person: int, at: datetime, shown: datetime | None = None) -> list[bytes]:
        """The person taps and goes in."""
        tag = tag_hash(self.key, self.office.tags[person])
        tapped = self.event(Tapped(access_point=AccessPointId("in"), tag=tag, granted=True), at, shown)
        return [tapped, self.event(Passed(tap=self.sequence, outcome=Outcome.ENTERED), at, shown)]

    def start_anew(self, at: datetime, shown: datetime | None = None) -> bytes:
        self.boot = f"boot-{self.sequence}"
        return self.event(Booted(version="1"), at, shown)

    def send(self, contents: Sequence[bytes]) -> None:
        with self.office.desk.database.write() as tx:
            ingest(tx, HubLookups(), now=self.office.clock.now(), door_id=self.door, contents=contents)


def _close(office: Office, month: str) -> list[Invoice]:
    office.clock.at = datetime.fromisoformat(f"{month}-28T00:00:00+00:00") + 10 * DAY
    return office.close(month, left_open="What comes late goes on the next.")


def _rated(office: Office) -> list[Charge]:
    """What the books come to now, over all months."""
    with office.desk.database.read() as tx:
        return [charge for month in MONTHS for charge in billing.charges_of_month(tx, BIRGIT, month=month, demo=False)]


def _invoiced(office: Office) -> list[tuple[str, int]]:
    lines = [line for month in MONTHS for one in office.invoices(month) for line in one.content["lines"]]
    return sorted((line["key"], line["net_cents"]) for line in lines)


def test_a_visit_dated_by_a_clock_set_late_is_charged_once(office: Office) -> None:
    """Shown as a day in March while the clock was not set, in truth a day in April: one visit, on the invoice of April."""
    gallery = Journal(office, "gallery")
    came = gallery.entry(office.ville, BEGIN + 32 * DAY, shown=BEGIN + 10 * DAY)
    came += gallery.entry(office.ville, BEGIN + 32 * DAY + timedelta(hours=1), shown=BEGIN + 10 * DAY + timedelta(hours=1))
    gallery.send(came)
    march = _close(office, MARCH)
    gallery.send([gallery.event(ClockSynced(), BEGIN + 33 * DAY)])
    april = _close(office, APRIL)
    days = [line["service_day"] for one in (*march, *april) for line in one.content["lines"]]
    assert days == ["2026-04-03"]


def test_what_was_never_dated_is_charged_as_it_was_shown_once_nothing_can_date_it(office: Office) -> None:
    """Until the door has started anew it may still set that clock: the entry is in doubt, not charged. Then it counts."""
    studio = Journal(office, "studio")
    studio.send(studio.entry(office.aino, BEGIN + 3 * DAY, shown=BEGIN + 2 * DAY))
    assert [entry.doubtful for entry in office.desk.entries(MARCH)] == [True]
    assert office.state(MARCH).due == []
    studio.send([studio.start_anew(BEGIN + 4 * DAY)])
    assert [entry.doubtful for entry in office.desk.entries(MARCH)] == [False]
    [made] = _close(office, MARCH)
    assert [line["service_day"] for line in made.content["lines"]] == ["2026-03-04"]


def test_a_gap_before_the_clock_was_set_leaves_the_date_open(office: Office) -> None:
    """An earlier setting of the clock may be in the gap: only when it is closed is the entry dated, and charged."""
    studio = Journal(office, "studio")
    came = studio.entry(office.aino, BEGIN + 3 * DAY, shown=BEGIN + 2 * DAY)
    missing, synced = studio.event(ClockSynced(), BEGIN + 4 * DAY), studio.event(ClockSynced(), BEGIN + 5 * DAY)
    studio.send([*came, synced])
    assert [entry.doubtful for entry in office.desk.entries(MARCH)] == [True]
    studio.send([missing])
    assert [entry.doubtful for entry in office.desk.entries(MARCH)] == [False]


def test_late_firsts_of_an_invoiced_run_are_paid_by_it(office: Office) -> None:
    """One by one, closing in between, earlier and earlier taps of a run arrive: what was invoiced paid for each near it."""
    studio = Journal(office, "studio")
    sent = {at: studio.entry(office.aino, BEGIN + DAY + at * SECOND) for at in (-30, 0, 100, 200)}
    studio.send([*sent[100], *sent[200]])
    made = [len(_close(office, MARCH))]
    for late, month in ((0, APRIL), (-30, MAY)):
        studio.send(sent[late])
        made.append(len(_close(office, month)))
    assert made == [1, 0, 1]
    assert _invoiced(office) == sorted((charge.key, charge.net_cents) for charge in _rated(office))


def test_a_run_over_five_in_the_morning_is_paid_once(office: Office) -> None:
    """The first of the run is March's and comes after both months closed; its re-tap was invoiced as April's."""
    studio = Journal(office, "studio")
    first, again = studio.entry(office.aino, NEW_DAY - 30 * SECOND), studio.entry(office.aino, NEW_DAY + 30 * SECOND)
    studio.send(again)
    assert [len(_close(office, MARCH)), len(_close(office, APRIL))] == [0, 1]
    studio.send(first)
    assert _close(office, MAY) == []


def test_what_a_line_opens_to_stays_what_it_was(office: Office) -> None:
    """An invoiced entry keeps its day and never becomes the re-tap of one that came later: that one becomes its re-tap."""
    studio = Journal(office, "studio")
    first, again = studio.entry(office.aino, BEGIN), studio.entry(office.aino, BEGIN + 60 * SECOND)
    studio.send(again)
    _close(office, MARCH)
    [invoiced] = office.desk.entries(MARCH)
    studio.send(first)
    [still, late] = office.desk.entries(MARCH)
    assert still == invoiced
    assert late.merged_into == still.id


@pytest.mark.parametrize("order", ORDERS)
def test_in_whatever_order_it_arrives_all_invoices_come_to_what_was_used(office: Office, order: int) -> None:
    """Two doors, two months, clocks set late, all events mixed and sent between closings: the sum is that of the use, each
    line is one use as the books rate it, no month's invoices change, and nothing is left to pay."""
    draw = Random(order)  # noqa: S311
    cents, events = _use(office, draw)
    draw.shuffle(events)
    issued: dict[str, list[Invoice]] = {}
    for month in MONTHS:
        share = len(events) if month == JUNE else draw.randint(0, len(events))
        for journal, content in events[:share]:
            journal.send([content])
        events = events[share:]
        issued[month] = _close(office, month)
        assert {known: office.invoices(known) for known in issued} == issued
    assert sum(net for _, net in _invoiced(office)) == cents
    assert _invoiced(office) == sorted((charge.key, charge.net_cents) for charge in _rated(office))
    assert office.state("2026-07").due == []


def _use(office: Office, draw: Random) -> tuple[int, list[tuple[Journal, bytes]]]:
    """Return what the use comes to, and the events that tell of it: runs of up to three taps, each run one entry."""
    studio, gallery, events = Journal(office, "studio"), Journal(office, "gallery"), list[tuple[Journal, bytes]]()
    runs = {BEGIN + timedelta(hours=draw.randrange(700)) for _ in range(3)}
    runs |= {BEGIN + timedelta(hours=720 + draw.randrange(700)) for _ in range(2)}
    begins = sorted(runs | {NEW_DAY - 60 * SECOND - draw.randrange(50) * SECOND})
    for begin in begins:
        for offset in sorted(draw.sample(range(119), draw.randint(1, 3))):
            events += [(studio, content) for content in studio.entry(office.aino, begin + offset * SECOND)]
    days = set[int]()
    for start in sorted(draw.sample(range(3, 58), 4)):
        unset = draw.random() < 0.6
        shown = BEGIN + draw.randint(0, start - 1) * DAY if unset else None
        at = BEGIN + start * DAY
        events.append((gallery, gallery.start_anew(at, shown)))
        for hours in range(draw.randint(1, 3)):
            hour = timedelta(hours=hours)
            told = gallery.entry(office.ville, at + hour, None if shown is None else shown + hour)
            events += [(gallery, one) for one in told]
        days.add(start)
        if unset:
            events.append((gallery, gallery.event(ClockSynced(), at + timedelta(hours=5))))
    return 420 * len(begins) + 1500 * len(days), events
