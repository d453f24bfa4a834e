# SPDX-License-Identifier: AGPL-3.0-or-later
"""Bookings of spaces. The database itself refuses two that overlap in one exclusive space (migrations add the guard)."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, String, Table

from booking_server.db import UtcDateTime, metadata

bookings = Table(
    "bookings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("space_id", Integer, ForeignKey("spaces.area_id"), nullable=False),
    Column("person_id", Integer, ForeignKey("people.id"), nullable=False, index=True),
    Column("start_at", UtcDateTime, nullable=False),
    Column("end_at", UtcDateTime, nullable=False),
    Column("purpose", String(200), nullable=False),
    Column("booked_at", UtcDateTime, nullable=False),
    Column("cancelled_at", UtcDateTime, nullable=True),
    CheckConstraint("start_at < end_at", name="length"),
)
Index("ix_bookings_space_start", bookings.c.space_id, bookings.c.start_at)
