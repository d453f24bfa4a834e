# SPDX-License-Identifier: AGPL-3.0-or-later
"""The steps of the story, in order."""

from __future__ import annotations

from tests.system import story_day as day
from tests.system import story_hub as hub
from tests.system import story_month as month
from tests.system.story import Step

STEPS: tuple[Step, ...] = (
    ("An empty hub", hub.empty_hub),
    ("The first administrator", hub.first_administrator),
    ("Sign in", hub.sign_in),
    ("Make a site and two spaces", hub.site_and_spaces),
    ("Set prices", hub.prices),
    ("Make the doors", hub.doors),
    ("Start the doors' agents", hub.agents),
    ("Make a person", hub.person),
    ("Hand out a keytag by tapping it", hub.hand_out),
    ("Tap: refused", day.refused),
    ("Grant access", day.grant),
    ("Tap: opens, enter", day.enter),
    ("Cut the broker, tap: opens", day.offline),
    ("Restore the broker", day.restore),
    ("Book the pop-up shop", day.book),
    ("Tap: opens by the booking", day.enter_by_booking),
    ("Block the keytag", day.block),
    ("Tap: refused", day.refused_when_blocked),
    ("Jump to April, close March", month.close_month),
    ("Read the invoice", month.invoice),
    ("Each entry once", month.each_once),
)
