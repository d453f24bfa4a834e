# SPDX-License-Identifier: AGPL-3.0-or-later
"""When this database was put back from a backup: what came after the backup was known once, and is not known here."""

from sqlalchemy import Column, Integer, String, Table

from booking_server.db import UtcDateTime, metadata

restores = Table(
    "restores",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("restored_at", UtcDateTime, nullable=False),
    Column("backup_at", UtcDateTime, nullable=False),
    Column("version", String(40), nullable=False),
    Column("next_invoice", Integer, nullable=True),
)
