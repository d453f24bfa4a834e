# SPDX-License-Identifier: AGPL-3.0-or-later
"""The story of the demo is a test: from an empty hub to an invoice, through the pages' own forms and the real parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system import parts, pcsc, plan
from tests.system.building import Building
from tests.system.story import PULSE_SECONDS, SHOP, STUDIO, Story, play
from tests.system.story_steps import STEPS

pytestmark = pytest.mark.skipif(parts.mosquitto() is None, reason=parts.missing("Mosquitto"))


@pytest.mark.parametrize("reader", ["simulated", "pcsc"])
def test_a_tap_becomes_an_invoice_line(reader: str, tmp_path: Path) -> None:
    """Keytag, doors, broker cut, booking, blocked tag, closed month: the invoice comes to the sums written in the plan."""
    if reader == "pcsc" and (reason := pcsc.why_not()):
        pytest.skip(reason)
    told: list[str] = []
    readers = (STUDIO, SHOP) if reader == "pcsc" else ()
    with Building(at=plan.START, readers=readers, pulse_seconds=PULSE_SECONDS) as building:
        story = Story(building, tmp_path)
        play(story, STEPS, told.append)
    assert len(told) == len(STEPS)
    assert story.invoice is not None
    assert story.invoice.stat().st_size > 5_000
