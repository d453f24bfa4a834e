# SPDX-License-Identifier: AGPL-3.0-or-later
"""Doors, their access points and unlocking hours, lock-downs, what was commanded, and what each door last said of itself."""

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Table,
    Time,
    UniqueConstraint,
)

from booking_server.db import UtcDateTime, metadata

doors = Table(
    "doors",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("site_id", Integer, ForeignKey("sites.id"), nullable=False, index=True),
    Column("name", String(120), nullable=False),
    Column("tag_key_sealed", LargeBinary, nullable=False),
    Column("log_named", String(10), nullable=False),
    Column("log_reason", String(400), nullable=False),
    Column("log_days", Integer, nullable=False),
    Column("snapshot_expiry_days", Integer, nullable=False),
    Column("rules", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("retired_at", UtcDateTime, nullable=True),
    Column("unlocking_waits", Boolean, nullable=False, server_default="0"),
    Column("stolen_at", UtcDateTime, nullable=True),
    CheckConstraint("log_named in ('priced', 'always', 'never')", name="log_named"),
)

access_points = Table(
    "access_points",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("door_id", String(32), ForeignKey("doors.id"), nullable=False, index=True),
    Column("point", String(16), nullable=False),
    Column("from_area_id", Integer, ForeignKey("areas.id"), nullable=True),
    Column("to_area_id", Integer, ForeignKey("areas.id"), nullable=True),
    UniqueConstraint("door_id", "point"),
)

unlocking_hours = Table(
    "unlocking_hours",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("door_id", String(32), ForeignKey("doors.id"), nullable=False, index=True),
    Column("weekdays", Integer, nullable=False),
    Column("from_time", Time, nullable=False),
    Column("until_time", Time, nullable=False),
    CheckConstraint("weekdays between 1 and 127", name="weekdays"),
)

lock_downs = Table(
    "lock_downs",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("site_id", Integer, ForeignKey("sites.id"), nullable=False, index=True),
    Column("on", Boolean, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("by", String(200), nullable=False),
    Column("reason", String(400), nullable=False),
    sqlite_autoincrement=True,
)

commands = Table(
    "commands",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("command", String(32), nullable=False, unique=True),
    Column("door_id", String(32), ForeignKey("doors.id"), nullable=False, index=True),
    Column("kind", String(20), nullable=False),
    Column("argument", JSON, nullable=False),
    Column("by", String(200), nullable=False),
    Column("reason", String(400), nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("sent_at", UtcDateTime, nullable=True),
    Column("done_at", UtcDateTime, nullable=True),
    Column("outcome", String(60), nullable=True),
    Column("result", JSON, nullable=True),
)

door_status = Table(
    "door_status",
    metadata,
    Column("door_id", String(32), ForeignKey("doors.id"), primary_key=True),
    Column("online", Boolean, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("heard_at", UtcDateTime, nullable=False),
    Column("status", JSON, nullable=False),
    Column("rights_known", Integer, nullable=False, server_default="0"),
)

door_journals = Table(
    "door_journals",
    metadata,
    Column("door_id", String(32), ForeignKey("doors.id"), primary_key=True),
    Column("journal", String(64), primary_key=True),
    Column("last", Integer, nullable=False),
    Column("given_up", Integer, nullable=False),
)

enrolments = Table(
    "enrolments",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("asked_at", UtcDateTime, nullable=False, index=True),
    Column("address", String(45), nullable=False),
    Column("hardware", String(120), nullable=False),
    Column("signing_key", LargeBinary, nullable=False),
    Column("sealing_key", LargeBinary, nullable=False),
    Column("commitment", LargeBinary, nullable=False),
    Column("server_nonce", LargeBinary, nullable=False),
    Column("box_nonce", LargeBinary, nullable=True),
    Column("wrong_codes", Integer, nullable=False),
    Column("outcome", String(10), nullable=True),
    Column("settled_at", UtcDateTime, nullable=True),
    Column("door_id", String(32), ForeignKey("doors.id"), nullable=True),
    Column("package", LargeBinary, nullable=True),
    Column("signature", LargeBinary, nullable=True),
)

revocations = Table(
    "revocations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("door_id", String(32), ForeignKey("doors.id"), nullable=False, index=True),
    Column("why", String(10), nullable=False),
    Column("reason", String(400), nullable=False),
    Column("serials", JSON, nullable=False),
    Column("by", String(200), nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("taken_at", UtcDateTime, nullable=True),
    Column("done_at", UtcDateTime, nullable=True),
    Column("became", String(20), nullable=True),
    CheckConstraint("why in ('stolen', 'replaced')", name="why"),
)
