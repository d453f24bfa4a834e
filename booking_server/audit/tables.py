# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who did or looked at what, when. Rows are only added."""

from sqlalchemy import JSON, Column, Integer, String, Table

from booking_server.db import UtcDateTime, metadata

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("actor", String(200), nullable=False),
    Column("act", String(60), nullable=False),
    Column("subject", String(120), nullable=False, index=True),
    Column("detail", JSON, nullable=False),
)
