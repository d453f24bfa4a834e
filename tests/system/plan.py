# SPDX-License-Identifier: AGPL-3.0-or-later
"""The story's own figures: when it happens, what things cost, and what the invoice must come to, written as literals.

The story plays in a fixed March, whenever it is run, and its month closes across the change to summer time. The sum is not
computed from the prices: it is what a person worked out by hand, so a wrong computation cannot agree with itself.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

MONTH = "2026-03"
FIRST_DAY = date(2026, 3, 1)
START = datetime(2026, 3, 10, 8, 0, tzinfo=UTC)
"""10:00 in Helsinki: the hub is made, the tag handed out, the first entry."""
AFTERNOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
"""14:00: long after the merging of re-taps; the broker is cut, and the second entry is made offline."""
BOOKED_FROM, BOOKED_UNTIL = datetime(2026, 3, 10, 14, 0, tzinfo=UTC), datetime(2026, 3, 10, 16, 0, tzinfo=UTC)
BOOKING_ENTERED = datetime(2026, 3, 10, 14, 5, tzinfo=UTC)
MONTH_OVER = datetime(2026, 4, 1, 6, 0, tzinfo=UTC)
"""09:00 on 1 April, by then summer time."""

ENTRY_CENTS = 420
BOOKED_HOUR_CENTS = 1200
VAT_PERMILLE = 255

NET_CENTS = 3240
"""Two entries to the co-creation space, one of them offline, and two booked hours of the pop-up space."""
VAT_CENTS = 826
GROSS_CENTS = 4066
