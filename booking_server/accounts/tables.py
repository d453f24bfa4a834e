# SPDX-License-Identifier: AGPL-3.0-or-later
"""Accounts that sign in, what each may do and where, by which ways, their sessions and browsers, and wrong tries."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
)

from booking_server.db import UtcDateTime, metadata

accounts = Table(
    "accounts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("sign_in_name", String(200), nullable=False, unique=True),
    Column("name", String(200), nullable=False),
    Column("password_hash", String(200), nullable=True),
    Column("person_id", Integer, ForeignKey("people.id"), nullable=True),
    Column("closed", Boolean, nullable=False, server_default="0"),
    Column("created_at", UtcDateTime, nullable=False),
)

account_roles = Table(
    "account_roles",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", Integer, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("role", String(20), nullable=False),
    Column("site_id", Integer, ForeignKey("sites.id"), nullable=True),
    Column("federated", Boolean, nullable=False, server_default="0"),
    UniqueConstraint("account_id", "role", "site_id", "federated"),
    CheckConstraint("role in ('administrator', 'host', 'billing', 'caretaker', 'reports', 'member')", name="role"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("account_id", Integer, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("begun_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("until_at", UtcDateTime, nullable=False, index=True),
    Column("confirmed_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime, nullable=True),
    Column("how", JSON, nullable=False),
    Column("address", String(60), nullable=False),
    Column("device", String(200), nullable=False),
)

sign_in_failures = Table(
    "sign_in_failures",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("sign_in_name", String(200), nullable=False),
    Column("address", String(60), nullable=False),
    Column("step", String(10), nullable=False, server_default="password"),
    CheckConstraint("step in ('password', 'second', 'link')", name="step"),
)

second_factors = Table(
    "second_factors",
    metadata,
    Column("account_id", Integer, ForeignKey("accounts.id"), primary_key=True),
    Column("sealed_secret", LargeBinary, nullable=False),
    Column("last_step", BigInteger, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", Integer, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("salt", LargeBinary, nullable=False),
    Column("code_hash", String(64), nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime, nullable=True),
)

sign_in_links = Table(
    "sign_in_links",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("email", String(200), nullable=False),
    Column("after", String(200), nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Column("until_at", UtcDateTime, nullable=False, index=True),
    Column("used_at", UtcDateTime, nullable=True),
)

browsers = Table(
    "browsers",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("account_id", Integer, ForeignKey("accounts.id"), primary_key=True),
    Column("first_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False, index=True),
)

passkeys = Table(
    "passkeys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", Integer, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("credential_id", String(1400), nullable=False, unique=True),
    Column("user_handle", String(64), nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("name", String(80), nullable=False),
    Column("transports", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime, nullable=True),
)

used_challenges = Table(
    "used_challenges",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("until_at", UtcDateTime, nullable=False, index=True),
)

federated_links = Table(
    "federated_links",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", Integer, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("issuer", String(300), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("linked_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime, nullable=False),
    UniqueConstraint("issuer", "subject"),
)
