# SPDX-License-Identifier: AGPL-3.0-or-later
"""Closed months and the invoices they made: numbered without gaps, stored as issued, never changed."""

from sqlalchemy import JSON, Column, Date, ForeignKey, Integer, LargeBinary, String, Table, UniqueConstraint

from booking_server.db import UtcDateTime, metadata

months = Table(
    "months",
    metadata,
    Column("month", String(7), primary_key=True),
    Column("closed_at", UtcDateTime, nullable=False),
    Column("closed_by", String(200), nullable=False),
    Column("left_open", JSON, nullable=False),
    Column("newest_entry", Integer, nullable=False, server_default="0"),
)

invoices = Table(
    "invoices",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("month", String(7), ForeignKey("months.month"), nullable=False),
    Column("customer_id", Integer, ForeignKey("customers.id"), nullable=False, index=True),
    Column("issued_on", Date, nullable=False),
    Column("due_on", Date, nullable=False),
    Column("net_cents", Integer, nullable=False),
    Column("vat_cents", Integer, nullable=False),
    Column("gross_cents", Integer, nullable=False),
    Column("content", JSON, nullable=False),
    UniqueConstraint("month", "customer_id"),
)

invoice_lines = Table(
    "invoice_lines",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("invoice_id", Integer, ForeignKey("invoices.id"), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("charge_key", String(120), nullable=False, unique=True),
    Column("space_id", Integer, ForeignKey("spaces.area_id"), nullable=False),
    Column("service_day", Date, nullable=False),
    Column("vat_day", Date, nullable=False),
    Column("unit", String(12), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("unit_cents", Integer, nullable=False),
    Column("vat_permille", Integer, nullable=False),
    Column("net_cents", Integer, nullable=False),
    Column("cause", JSON, nullable=False),
)

invoice_documents = Table(
    "invoice_documents",
    metadata,
    Column("invoice_id", Integer, ForeignKey("invoices.id"), primary_key=True),
    Column("language", String(2), primary_key=True),
    Column("pdf", LargeBinary, nullable=False),
)
