# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a file calls whom, which access the roster gave, files that wait for a yes, and every time that one was read.

A waiting file is sealed under a key outside the database, and is gone within the hour.
"""

from sqlalchemy import JSON, CheckConstraint, Column, ForeignKey, Integer, LargeBinary, String, Table

from booking_server.db import UtcDateTime, metadata

external_ids = Table(
    "external_ids",
    metadata,
    Column("person_id", Integer, ForeignKey("people.id"), primary_key=True),
    Column("external_id", String(100), nullable=False, unique=True),
)

roster_grants = Table(
    "roster_grants",
    metadata,
    Column("grant_id", Integer, ForeignKey("grants.id"), primary_key=True),
    Column("person_id", Integer, ForeignKey("people.id"), nullable=False, index=True),
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", Integer, ForeignKey("accounts.id"), nullable=False, unique=True),
    Column("name", String(200), nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

imports = Table(
    "imports",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("by", String(200), nullable=False),
    Column("source", String(10), nullable=False),
    Column("file", String(200), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("outcome", String(10), nullable=False),
    Column("trouble", String(20), nullable=True),
    Column("counts", JSON, nullable=False),
    Column("refusals", JSON, nullable=False),
    CheckConstraint("source in ('file', 'roster')", name="source"),
    CheckConstraint("outcome in ('done', 'stopped')", name="outcome"),
)
