# SPDX-License-Identifier: AGPL-3.0-or-later
"""What using a space costs, from a day on, with its VAT. Rows are only added: the last one set for a day is the price."""

from sqlalchemy import CheckConstraint, Column, Date, ForeignKey, Index, Integer, String, Table

from booking_server.db import UtcDateTime, metadata

prices = Table(
    "prices",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("space_id", Integer, ForeignKey("spaces.area_id"), nullable=False),
    Column("unit", String(12), nullable=False),
    Column("amount_cents", Integer, nullable=False),
    Column("vat_permille", Integer, nullable=False),
    Column("from_day", Date, nullable=False),
    Column("set_at", UtcDateTime, nullable=False),
    CheckConstraint("unit in ('entry', 'day', 'booked_hour')", name="unit"),
    CheckConstraint("amount_cents >= 0", name="amount"),
    CheckConstraint("vat_permille between 0 and 1000", name="vat"),
)
Index("ix_prices_space_unit_from_day", prices.c.space_id, prices.c.unit, prices.c.from_day)
