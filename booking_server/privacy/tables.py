# SPDX-License-Identifier: AGPL-3.0-or-later
"""What people asked about their data, what was erased and what had to stay, what staff froze, and when the timer last ran."""

from sqlalchemy import JSON, Boolean, CheckConstraint, Column, Date, ForeignKey, Integer, String, Table

from booking_server.db import UtcDateTime, metadata

wishes = Table(
    "wishes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("person_id", Integer, ForeignKey("people.id"), nullable=False, index=True),
    Column("kind", String(12), nullable=False),
    Column("text", String(1000), nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("answer", String(1000), nullable=False),
    Column("answered_at", UtcDateTime, nullable=True),
    Column("answered_by", String(200), nullable=True),
    CheckConstraint("kind in ('correct', 'erase', 'restrict', 'object', 'other')", name="kind"),
)

erasures = Table(
    "erasures",
    metadata,
    Column("person_id", Integer, ForeignKey("people.id"), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("by", String(200), nullable=False),
    Column("went", JSON, nullable=False),
    Column("stays", JSON, nullable=False),
    Column("complete", Boolean, nullable=False),
)

freezes = Table(
    "freezes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("door_id", String(32), ForeignKey("doors.id"), nullable=False, index=True),
    Column("from_day", Date, nullable=False),
    Column("through_day", Date, nullable=False),
    Column("kept_until", Date, nullable=False),
    Column("reason", String(400), nullable=False),
    Column("by", String(200), nullable=False),
    Column("frozen_at", UtcDateTime, nullable=False),
    Column("lifted_at", UtcDateTime, nullable=True),
    CheckConstraint("from_day <= through_day", name="days"),
)

forgettings = Table(
    "forgettings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("counts", JSON, nullable=False),
)
