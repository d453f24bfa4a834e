# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the doors wrote: events as received, taps, entries. Rows are only added; an entry that is `settled` never changes.

What identifies stands apart and may be dropped (event_bytes, entry_people); event and entry keep identity, hash,
service day and VAT date.
"""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
    false,
    text,
)  # fmt: skip

from booking_server.db import UtcDateTime, metadata

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("journal", String(64), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("door_id", String(32), ForeignKey("doors.id"), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("previous", String(64), nullable=False),
    Column("kind", String(30), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    UniqueConstraint("journal", "sequence"),
)

event_bytes = Table(
    "event_bytes",
    metadata,
    Column("event_id", Integer, ForeignKey("events.id"), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

forks = Table(
    "forks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("journal", String(64), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("door_id", String(32), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    UniqueConstraint("journal", "sequence", "hash"),
)

journals = Table(
    "journals",
    metadata,
    Column("journal", String(64), primary_key=True),
    Column("door_id", String(32), ForeignKey("doors.id"), nullable=False, index=True),
    Column("up_to", Integer, nullable=False),
    Column("last_seen", Integer, nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("complete_until", UtcDateTime, nullable=True),
    Column("gone", Integer, nullable=False, server_default="0"),
)

taps = Table(
    "taps",
    metadata,
    Column("event_id", Integer, ForeignKey("events.id"), primary_key=True),
    Column("door_id", String(32), ForeignKey("doors.id"), nullable=False),
    Column("point", String(16), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("granted", Boolean, nullable=False),
    Column("reason", String(40), nullable=True),
    Column("cause", String(60), nullable=True),
    Column("decided_by", String(10), nullable=False),
    Column("disagreed", Boolean, nullable=False),
    Column("clock", String(12), nullable=False),
    Column("outcome", String(20), nullable=True),
    Column("simulated", Boolean, nullable=False),
    Column("keytag_id", Integer, ForeignKey("keytags.id"), nullable=True),
    Column("person_id", Integer, ForeignKey("people.id"), nullable=True, index=True),
    Column("again", Integer, nullable=False, server_default="0"),
)
Index("ix_taps_door_at", taps.c.door_id, taps.c.at)
Index("ix_taps_at", taps.c.at)

entries = Table(
    "entries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tap_event_id", Integer, ForeignKey("events.id"), nullable=False, unique=True),
    Column("space_id", Integer, ForeignKey("spaces.area_id"), nullable=False),
    Column("service_day", Date, nullable=False),
    Column("vat_day", Date, nullable=False),
    Column("event_hash", String(64), nullable=False),
    Column("merged_into", Integer, ForeignKey("entries.id"), nullable=True),
    Column("booking_id", Integer, ForeignKey("bookings.id"), nullable=True),
    Column("doubtful", Boolean, nullable=False),
    Column("simulated", Boolean, nullable=False),
    Column("settled", Boolean, nullable=False, server_default=false()),
    CheckConstraint("merged_into is null or merged_into <> id", name="merged_into"),
)
Index("ix_entries_day_space", entries.c.service_day, entries.c.space_id)
Index("ix_entries_doubtful", entries.c.tap_event_id, sqlite_where=text("doubtful = 1"), postgresql_where=text("doubtful"))

entry_people = Table(
    "entry_people",
    metadata,
    Column("entry_id", Integer, ForeignKey("entries.id"), primary_key=True),
    Column("person_id", Integer, ForeignKey("people.id"), nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
Index("ix_entry_people_person_at", entry_people.c.person_id, entry_people.c.at)

counters = Table(
    "counters",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("door_id", String(32), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
)
