# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does retention drop each thing when its days are over, not a day before, and leave alone what is frozen or in the books?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import func, insert, select

from booking_server.accounts.tables import sessions, sign_in_failures
from booking_server.actors import NotAllowed
from booking_server.audit import service as audit
from booking_server.audit.tables import audit as audit_table
from booking_server.cli import main
from booking_server.clock import TurnedClock
from booking_server.doors.tables import enrolments
from booking_server.errors import Invalid
from booking_server.invoices.tables import invoice_documents
from booking_server.ledger.tables import entry_people, taps
from booking_server.messages.tables import messages
from booking_server.privacy import forgetting, freezing
from tests.booking_server.hub import BILLING, HOST
from tests.booking_server.invoices.office import MARCH_OVER
from tests.booking_server.privacy.conftest import NOW, ONE_ENGINE, Kept
from tests.system.settings_file import write_settings

DUE = (
    ("boxes", NOW, 30),
    ("messages", NOW + timedelta(days=5), 30),
    ("links", MARCH_OVER, 90),
    ("wrong_tries", NOW + timedelta(days=10), 90),
    ("looks", NOW - timedelta(hours=1), 365),
)
"""What goes, since when it was there, and after how many days; in the order in which it is due."""


def _forget(kept: Kept, now: datetime) -> Mapping[str, int]:
    with kept.office.desk.database.write() as tx:
        return forgetting.forget(tx, now=now, config=kept.config)


def test_each_goes_when_its_days_are_over_and_not_a_day_before(kept: Kept) -> None:
    """A day short of its days it is there, a day after them it is gone, and a second run finds nothing."""
    with kept.office.desk.database.write() as tx:
        tx.execute(messages.update().values(state="sent", settled_at=NOW + timedelta(days=5)))
        tx.execute(sign_in_failures.update().values(at=NOW + timedelta(days=10)))
        box = {"address": "192.0.2.8", "hardware": "Pi", "wrong_codes": 0, "asked_at": NOW, "id": "box"}
        keys = dict.fromkeys(("signing_key", "sealing_key", "commitment", "server_nonce"), b"x")
        tx.execute(insert(enrolments).values(**box, **keys))
    for what, from_at, days in DUE:
        assert _forget(kept, from_at + timedelta(days=days - 1))[what] == 0, what
        assert _forget(kept, from_at + timedelta(days=days + 1))[what] > 0, what
        assert _forget(kept, from_at + timedelta(days=days + 1))[what] == 0, what


@ONE_ENGINE
def test_what_was_said_and_done_is_dropped_each_in_its_own_time(kept: Kept) -> None:
    """Acts outlast looks by years; sessions and addresses are gone after months; no row of the books is touched."""
    database = kept.office.desk.database
    before = kept.office.invoices("2026-03")
    later = NOW + timedelta(days=500)
    _forget(kept, later)
    with database.read() as tx:
        acts = set(tx.execute(select(audit_table.c.act)).scalars())
        assert "taps_read" not in acts
        assert {"keytag_handed_out", "month_closed", "access_granted"} <= acts
        assert tx.execute(select(func.count()).select_from(sessions)).scalar_one() == 0
        assert tx.execute(select(func.count()).select_from(sign_in_failures)).scalar_one() == 0
        assert tx.execute(select(func.count()).select_from(entry_people)).scalar_one() == 0
        assert set(tx.execute(select(taps.c.person_id)).scalars()) == {None}
    assert kept.office.invoices("2026-03") == before
    _forget(kept, NOW + timedelta(days=2200))
    with database.read() as tx:
        assert "keytag_handed_out" not in set(tx.execute(select(audit_table.c.act)).scalars())
        assert tx.execute(select(invoice_documents.c.pdf)).all() == []
    assert kept.office.invoices("2026-03") == before


@ONE_ENGINE
def test_what_is_not_counted_yet_stays_linked_however_old(kept: Kept) -> None:
    """Nobody's use is lost because its month was closed late."""
    office = kept.office
    office.tap("studio", office.ville, NOW)
    _forget(kept, NOW + timedelta(days=300))
    with office.desk.database.read() as tx:
        assert tx.execute(select(entry_people.c.person_id)).scalars().all() == [office.ville]


def test_a_frozen_log_is_left_alone_until_its_day_or_until_it_is_lifted(kept: Kept) -> None:
    """Only the door and the days that were frozen; the record says who froze it, why, and who lifted it."""
    office, database = kept.office, kept.office.desk.database
    with database.write() as tx:
        made = freezing.freeze(
            tx, HOST, now=NOW, door_id="studio", from_day=date(2026, 3, 31), through_day=date(2026, 4, 1),
            kept_until=date(2026, 8, 1), reason="a window was broken",
        )  # fmt: skip
    _forget(kept, NOW + timedelta(days=90))
    with database.read() as tx:
        named = tx.execute(select(taps.c.door_id, taps.c.person_id).where(taps.c.person_id.is_not(None))).all()
        assert [tuple(row) for row in named] == [("studio", office.aino)]
    with database.write() as tx:
        freezing.lift(tx, HOST, now=NOW + timedelta(days=90), freeze_id=made.id)
        acts = [(row["act"], row["actor"]) for row in audit.of_subject(tx, "door:studio")]
    assert acts[:2] == [("door_log_thawed", HOST.name), ("door_log_frozen", HOST.name)]
    assert _forget(kept, NOW + timedelta(days=91))["taps"] == 1


@ONE_ENGINE
def test_a_freeze_has_days_an_end_and_a_reason(kept: Kept) -> None:
    """Days that have come, an end at most two years away, a reason; billing may not."""
    good: dict[str, Any] = {
        "from_day": date(2026, 3, 1),
        "through_day": date(2026, 3, 2),
        "kept_until": date(2026, 5, 1),
        "reason": "theft",
    }
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("through_day", {"through_day": date(2026, 4, 5)}),
        ("through_day", {"from_day": date(2026, 3, 3)}),
        ("kept_until", {"kept_until": NOW.date()}),
        ("kept_until", {"kept_until": date(2028, 5, 1)}),
        ("reason", {"reason": " "}),
    ]
    with kept.office.desk.database.write() as tx:
        for field, values in wrong:
            with pytest.raises(Invalid) as refused:
                freezing.freeze(tx, HOST, now=NOW, door_id="studio", **(good | values))
            assert refused.value.field == field
        with pytest.raises(NotAllowed):
            freezing.freeze(tx, BILLING, now=NOW, door_id="studio", **good)


@ONE_ENGINE
def test_the_command_forgets_by_the_turned_clock_and_says_what(kept: Kept, database_url: str, tmp_path: Path) -> None:
    """One line for each kind with its count; the last run stands for the pages, late after two days."""
    turned = tmp_path / "turned"
    ahead = NOW + timedelta(days=100) - TurnedClock(tmp_path / "none").now()
    turned.write_text(str(int(ahead.total_seconds())), encoding="ascii")
    settings = {"database": database_url, "state_folder": str(tmp_path), "demo": True, "simulated": {"clock": str(turned)}}
    write_settings(tmp_path / "server.toml", settings)
    done = CliRunner().invoke(main, ["--config", str(tmp_path / "server.toml"), "forget"])
    assert done.exit_code == 0, done.output
    counts = {line.split(None, 1)[1]: int(line.split(None, 1)[0]) for line in done.output.splitlines()}
    assert counts["taps whose name and keytag went"] > 0
    assert len(counts) == 14
    with kept.office.desk.database.read() as tx:
        last = forgetting.last(tx)
    assert last is not None
    assert abs(last.at - NOW - timedelta(days=100)) < timedelta(minutes=5)
    assert not last.is_late(last.at + timedelta(days=1, hours=23))
    assert last.is_late(last.at + timedelta(days=2, minutes=1))
