# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sites and the tree of areas below them; a space is an area that is used, booked and priced."""

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Integer, String, Table, UniqueConstraint

from booking_server.db import UtcDateTime, metadata

sites = Table(
    "sites",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(120), nullable=False, unique=True),
    Column("time_zone", String(60), nullable=False),
    Column("area_id", Integer, ForeignKey("areas.id", use_alter=True), nullable=True),
    Column("created_at", UtcDateTime, nullable=False),
)

areas = Table(
    "areas",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("site_id", Integer, ForeignKey("sites.id"), nullable=False, index=True),
    Column("parent_id", Integer, ForeignKey("areas.id"), nullable=True, index=True),
    Column("name", String(120), nullable=False),
    Column("kind", String(20), nullable=False),
    UniqueConstraint("site_id", "parent_id", "name"),
    CheckConstraint("kind in ('site', 'building', 'floor', 'space')", name="kind"),
)

spaces = Table(
    "spaces",
    metadata,
    Column("area_id", Integer, ForeignKey("areas.id"), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("capacity", Integer, nullable=False),
    Column("bookable", Boolean, nullable=False),
    Column("tap_is_entry_when_unlocked", Boolean, nullable=False),
    CheckConstraint("capacity >= 1", name="capacity"),
    CheckConstraint("kind in ('co-creation', 'pop-up', 'meeting-room', 'showroom', 'office')", name="kind"),
)
