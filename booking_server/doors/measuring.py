# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the process that speaks with the doors counts as it happens: by cause or reason, never by person or keytag."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

ASKS = Counter("hubkey_asks", "Asks of doors that were answered, by the answer: granted, or the reason of refusal.", ["answer"])
ASK_SECONDS = Histogram(
    "hubkey_ask_seconds",
    "From an ask's arrival to its signed answer on the way to the broker. A door waits 250 ms in all.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25),
)
EVENTS = Counter("hubkey_events", "Events of doors that were stored and acknowledged, those that came again too.")
ACKNOWLEDGED_SECONDS = Histogram(
    "hubkey_acknowledgement_seconds",
    "From the arrival of a door's events to their acknowledgement, after the commit.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30),
)
DROPPED = Counter("hubkey_messages_dropped", "Messages of doors that were counted instead of taken, by cause.", ["cause"])
SNAPSHOTS = Counter("hubkey_snapshots_sent", "Snapshots sent to doors: whole, or what changed.", ["what"])
