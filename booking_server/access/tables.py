# SPDX-License-Identifier: AGPL-3.0-or-later
"""Grants (who, where, when) and the numbered rights changes that tell every process to look again."""

from sqlalchemy import Boolean, CheckConstraint, Column, Date, ForeignKey, Integer, String, Table, Time

from booking_server.db import UtcDateTime, metadata

grants = Table(
    "grants",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("person_id", Integer, ForeignKey("people.id"), nullable=False, index=True),
    Column("area_id", Integer, ForeignKey("areas.id"), nullable=False, index=True),
    Column("from_day", Date, nullable=False),
    Column("until_day", Date, nullable=True),
    Column("weekdays", Integer, nullable=False),
    Column("from_time", Time, nullable=False),
    Column("until_time", Time, nullable=False),
    Column("standing", Boolean, nullable=False),
    Column("passes_lock_down", Boolean, nullable=False),
    Column("granted_at", UtcDateTime, nullable=False),
    Column("withdrawn_at", UtcDateTime, nullable=True),
    Column("may_disarm", Boolean, nullable=False, server_default="0"),
    Column("starts_unlocking", Boolean, nullable=False, server_default="0"),
    CheckConstraint("weekdays between 1 and 127", name="weekdays"),
)

rights_changes = Table(
    "rights_changes",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False),
    Column("person_id", Integer, nullable=True, index=True),
    Column("door_id", String(32), nullable=True),
    Column("cause", String(60), nullable=False),
    sqlite_autoincrement=True,
)
