# SPDX-License-Identifier: AGPL-3.0-or-later
"""People (who use) and customers (who pay)."""

from sqlalchemy import Boolean, Column, ForeignKey, Integer, String, Table

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
