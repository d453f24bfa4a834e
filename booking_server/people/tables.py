# SPDX-License-Identifier: AGPL-3.0-or-later
"""People (who use), customers (who pay) and accounts (who sign in)."""

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Integer, String, Table

from booking_server.db import UtcDateTime, metadata

customers = Table(
    "customers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("business_id", String(20), nullable=True),
    Column("address", String(400), nullable=False),
    Column("email", String(200), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

people = Table(
    "people",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(200), nullable=False, index=True),
    Column("email", String(200), nullable=False),
    Column("language", String(2), nullable=False),
    Column("customer_id", Integer, ForeignKey("customers.id"), nullable=False, index=True),
    Column("suspended_at", UtcDateTime, nullable=True),
    Column("ended_at", UtcDateTime, nullable=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("extended_time", Boolean, nullable=False, server_default="0"),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("sign_in_name", String(200), nullable=False, unique=True),
    Column("name", String(200), nullable=False),
    Column("role", String(20), nullable=False),
    Column("password_hash", String(200), nullable=False),
    Column("person_id", Integer, ForeignKey("people.id"), nullable=True),
    Column("closed", Boolean, nullable=False, server_default="0"),
    Column("session_number", Integer, nullable=False, server_default="1"),
    Column("created_at", UtcDateTime, nullable=False),
    CheckConstraint("role in ('administrator', 'host', 'billing', 'member')", name="role"),
)

sign_in_failures = Table(
    "sign_in_failures",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("sign_in_name", String(200), nullable=False),
    Column("address", String(60), nullable=False),
)

ended_sessions = Table(
    "ended_sessions",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("until_at", UtcDateTime, nullable=False),
)
