# SPDX-License-Identifier: AGPL-3.0-or-later
"""The story of the demo is a test: from an empty hub to an invoice, through the pages' own forms and the real parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system import parts, pcsc, plan
from tests.system.building import Building
from tests.system.postgres import cluster
from tests.system.story import PULSE_SECONDS, SHOP, STUDIO, Story, play
from tests.system.story_steps import STEPS

pytestmark = pytest.mark.skipif(parts.mosquitto() is None, reason=parts.missing("Mosquitto"))


def test_a_tap_becomes_an_invoice_line(tmp_path: Path) -> None:
    """Keytag, doors, broker cut, booking, blocked tag, closed month: the invoice comes to the sums written in the plan."""
    _play(tmp_path)


def test_on_the_real_card_daemon(tmp_path: Path) -> None:
    """The same story with every tag read by a real pcscd."""
    if reason := pcsc.why_not():
        pytest.skip(reason)
    _play(tmp_path, readers=(STUDIO, SHOP))


@pytest.mark.skipif(parts.postgres_bin() is None, reason=parts.missing("PostgreSQL"))
def test_on_postgresql(tmp_path: Path) -> None:
    """The same story with everything kept in a PostgreSQL."""
    with cluster() as databases:
        _play(tmp_path, database=databases.url(databases.create()))


def _play(folder: Path, *, readers: tuple[str, ...] = (), database: str | None = None) -> None:
    told: list[str] = []
    with Building(at=plan.START, readers=readers, database=database, pulse_seconds=PULSE_SECONDS) as building:
        story = Story(building, folder)
        play(story, STEPS, told.append)
    assert len(told) == len(STEPS)
    assert story.invoice is not None
    assert story.invoice.stat().st_size > 5_000
