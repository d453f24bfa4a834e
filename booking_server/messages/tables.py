# SPDX-License-Identifier: AGPL-3.0-or-later
"""The outbox, and what each person chose not to get. A message's facts go once they are needed no longer."""

from sqlalchemy import JSON, Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, String, Table

from booking_server.db import UtcDateTime, metadata

messages = Table(
    "messages",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(120), nullable=False, unique=True),
    Column("kind", String(30), nullable=False),
    Column("person_id", Integer, ForeignKey("people.id"), nullable=True, index=True),
    Column("account_id", Integer, ForeignKey("accounts.id"), nullable=True),
    Column("customer_id", Integer, ForeignKey("customers.id"), nullable=True),
    Column("address", String(200), nullable=True),
    Column("language", String(2), nullable=True),
    Column("facts", JSON(none_as_null=True), nullable=True),
    Column("put_at", UtcDateTime, nullable=False),
    Column("give_up_at", UtcDateTime, nullable=False),
    Column("state", String(10), nullable=False),
    Column("try_at", UtcDateTime, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("claim", String(32), nullable=True),
    Column("trouble", String(30), nullable=True),
    Column("trouble_said", String(300), nullable=True),
    Column("trouble_since", UtcDateTime, nullable=True),
    Column("settled_at", UtcDateTime, nullable=True),
    CheckConstraint("state in ('waiting', 'sending', 'sent', 'given_up', 'unwanted', 'left')", name="state"),
)
Index("ix_messages_state_try_at", messages.c.state, messages.c.try_at)

message_choices = Table(
    "message_choices",
    metadata,
    Column("person_id", Integer, ForeignKey("people.id"), primary_key=True),
    Column("kind", String(30), primary_key=True),
    Column("wanted", Boolean, nullable=False),
)
