# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keytags, and who held each one when. A number is encrypted under a key outside the database.

A door's former names for tags stay, for what it wrote before it got a new tag key.
"""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, false, text

from booking_server.db import UtcDateTime, metadata

keytags = Table(
    "keytags",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("number_sealed", LargeBinary, nullable=False),
    Column("number_index", String(64), nullable=False, unique=True),
    Column("last_digits", String(4), nullable=False, index=True),
    Column("blocked_at", UtcDateTime, nullable=True),
    Column("blocked_reason", String(200), nullable=True),
    Column("created_at", UtcDateTime, nullable=False),
)

assignments = Table(
    "assignments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("keytag_id", Integer, ForeignKey("keytags.id"), nullable=False, index=True),
    Column("person_id", Integer, ForeignKey("people.id"), nullable=False, index=True),
    Column("from_at", UtcDateTime, nullable=False),
    Column("until_at", UtcDateTime, nullable=True),
)
Index(
    "uq_assignments_open",
    assignments.c.keytag_id,
    unique=True,
    sqlite_where=text("until_at is null"),
    postgresql_where=text("until_at is null"),
)

door_tags = Table(
    "door_tags",
    metadata,
    Column("door_id", String(32), ForeignKey("doors.id"), primary_key=True),
    Column("tag_hash", String(64), primary_key=True),
    Column("keytag_id", Integer, ForeignKey("keytags.id"), nullable=False, index=True),
    Column("former", Boolean, nullable=False, server_default=false()),
)

exposures = Table(
    "exposures",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("keytag_id", Integer, ForeignKey("keytags.id"), nullable=False, index=True),
    Column("door_id", String(32), ForeignKey("doors.id"), nullable=False),
    Column("since", UtcDateTime, nullable=False),
)
