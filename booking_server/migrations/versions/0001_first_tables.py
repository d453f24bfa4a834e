# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every table of the first release, written out as it was then. Frozen: later changes are migrations of their own.

A site names its root area and an area its site. SQLite takes both foreign keys with the tables; elsewhere the first is
added once both tables stand.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = (
    "sites",
    "areas",
    "spaces",
    "customers",
    "people",
    "accounts",
    "sign_in_failures",
    "doors",
    "access_points",
    "commands",
    "door_status",
    "keytags",
    "assignments",
    "door_tags",
    "grants",
    "rights_changes",
    "bookings",
    "prices",
    "events",
    "event_bytes",
    "forks",
    "journals",
    "taps",
    "entries",
    "entry_people",
    "counters",
    "months",
    "invoices",
    "invoice_lines",
    "invoice_documents",
    "audit",
)


def upgrade() -> None:
    _places()
    _people()
    _doors()
    _tags()
    _access()
    _bookings()
    _billing()
    _ledger()
    _invoices()
    _audit()


def downgrade() -> None:
    if op.get_bind().dialect.supports_alter:
        op.drop_constraint("fk_sites_area_id", "sites")
    for table in reversed(_TABLES):
        op.drop_table(table)


def _places() -> None:
    op.create_table(
        "sites",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("time_zone", sa.String(60), nullable=False),
        sa.Column("area_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sites"),
        sa.ForeignKeyConstraint(["area_id"], ["areas.id"], name="fk_sites_area_id", use_alter=True),
        sa.UniqueConstraint("name", name="uq_sites_name"),
    )
    op.create_table(
        "areas",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("parent_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_areas"),
        sa.ForeignKeyConstraint(["parent_id"], ["areas.id"], name="fk_areas_parent_id"),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name="fk_areas_site_id"),
        sa.CheckConstraint("kind in ('site', 'building', 'floor', 'space')", name="ck_areas_kind"),
        sa.UniqueConstraint("site_id", "parent_id", "name", name="uq_areas_site_id_parent_id_name"),
    )
    op.create_index("ix_areas_parent_id", "areas", ["parent_id"])
    op.create_index("ix_areas_site_id", "areas", ["site_id"])
    op.create_table(
        "spaces",
        sa.Column("area_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("bookable", sa.Boolean(), nullable=False),
        sa.Column("tap_is_entry_when_unlocked", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("area_id", name="pk_spaces"),
        sa.ForeignKeyConstraint(["area_id"], ["areas.id"], name="fk_spaces_area_id"),
        sa.CheckConstraint("capacity >= 1", name="ck_spaces_capacity"),
        sa.CheckConstraint("kind in ('co-creation', 'pop-up', 'meeting-room', 'showroom', 'office')", name="ck_spaces_kind"),
    )
    if op.get_bind().dialect.supports_alter:
        op.create_foreign_key("fk_sites_area_id", "sites", "areas", ["area_id"], ["id"])


def _people() -> None:
    op.create_table(
        "customers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("business_id", sa.String(20), nullable=True),
        sa.Column("address", sa.String(400), nullable=False),
        sa.Column("email", sa.String(200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_customers"),
    )
    op.create_table(
        "people",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("email", sa.String(200), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("suspended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_people"),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name="fk_people_customer_id"),
    )
    op.create_index("ix_people_customer_id", "people", ["customer_id"])
    op.create_index("ix_people_name", "people", ["name"])
    op.create_table(
        "accounts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sign_in_name", sa.String(200), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("password_hash", sa.String(200), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("closed", sa.Boolean(), nullable=False, server_default="0"),
        sa.Column("session_number", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_accounts_person_id"),
        sa.CheckConstraint("role in ('administrator', 'host', 'billing', 'member')", name="ck_accounts_role"),
        sa.UniqueConstraint("sign_in_name", name="uq_accounts_sign_in_name"),
    )
    op.create_table(
        "sign_in_failures",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sign_in_name", sa.String(200), nullable=False),
        sa.Column("address", sa.String(60), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sign_in_failures"),
    )
    op.create_index("ix_sign_in_failures_at", "sign_in_failures", ["at"])


def _doors() -> None:
    op.create_table(
        "doors",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("tag_key_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("log_named", sa.String(10), nullable=False),
        sa.Column("log_reason", sa.String(400), nullable=False),
        sa.Column("log_days", sa.Integer(), nullable=False),
        sa.Column("snapshot_expiry_days", sa.Integer(), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_doors"),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name="fk_doors_site_id"),
        sa.CheckConstraint("log_named in ('priced', 'always', 'never')", name="ck_doors_log_named"),
    )
    op.create_index("ix_doors_site_id", "doors", ["site_id"])
    op.create_table(
        "access_points",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("door_id", sa.String(32), nullable=False),
        sa.Column("point", sa.String(16), nullable=False),
        sa.Column("from_area_id", sa.Integer(), nullable=True),
        sa.Column("to_area_id", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_access_points"),
        sa.ForeignKeyConstraint(["door_id"], ["doors.id"], name="fk_access_points_door_id"),
        sa.ForeignKeyConstraint(["from_area_id"], ["areas.id"], name="fk_access_points_from_area_id"),
        sa.ForeignKeyConstraint(["to_area_id"], ["areas.id"], name="fk_access_points_to_area_id"),
        sa.UniqueConstraint("door_id", "point", name="uq_access_points_door_id_point"),
    )
    op.create_index("ix_access_points_door_id", "access_points", ["door_id"])
    op.create_table(
        "commands",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("command", sa.String(32), nullable=False),
        sa.Column("door_id", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("argument", sa.JSON(), nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("reason", sa.String(400), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(60), nullable=True),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_commands"),
        sa.ForeignKeyConstraint(["door_id"], ["doors.id"], name="fk_commands_door_id"),
        sa.UniqueConstraint("command", name="uq_commands_command"),
    )
    op.create_index("ix_commands_door_id", "commands", ["door_id"])
    op.create_table(
        "door_status",
        sa.Column("door_id", sa.String(32), nullable=False),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("door_id", name="pk_door_status"),
        sa.ForeignKeyConstraint(["door_id"], ["doors.id"], name="fk_door_status_door_id"),
    )


def _tags() -> None:
    op.create_table(
        "keytags",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("number_index", sa.String(64), nullable=False),
        sa.Column("last_digits", sa.String(4), nullable=False),
        sa.Column("blocked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("blocked_reason", sa.String(200), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_keytags"),
        sa.UniqueConstraint("number_index", name="uq_keytags_number_index"),
    )
    op.create_index("ix_keytags_last_digits", "keytags", ["last_digits"])
    op.create_table(
        "assignments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("keytag_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_assignments"),
        sa.ForeignKeyConstraint(["keytag_id"], ["keytags.id"], name="fk_assignments_keytag_id"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_assignments_person_id"),
    )
    op.create_index("ix_assignments_keytag_id", "assignments", ["keytag_id"])
    op.create_index("ix_assignments_person_id", "assignments", ["person_id"])
    op.create_index(
        "uq_assignments_open",
        "assignments",
        ["keytag_id"],
        unique=True,
        sqlite_where=sa.text("until_at is null"),
        postgresql_where=sa.text("until_at is null"),
    )
    op.create_table(
        "door_tags",
        sa.Column("door_id", sa.String(32), nullable=False),
        sa.Column("tag_hash", sa.String(64), nullable=False),
        sa.Column("keytag_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("door_id", "tag_hash", name="pk_door_tags"),
        sa.ForeignKeyConstraint(["door_id"], ["doors.id"], name="fk_door_tags_door_id"),
        sa.ForeignKeyConstraint(["keytag_id"], ["keytags.id"], name="fk_door_tags_keytag_id"),
    )
    op.create_index("ix_door_tags_keytag_id", "door_tags", ["keytag_id"])


def _access() -> None:
    op.create_table(
        "grants",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("area_id", sa.Integer(), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("until_day", sa.Date(), nullable=True),
        sa.Column("weekdays", sa.Integer(), nullable=False),
        sa.Column("from_time", sa.Time(), nullable=False),
        sa.Column("until_time", sa.Time(), nullable=False),
        sa.Column("standing", sa.Boolean(), nullable=False),
        sa.Column("passes_lock_down", sa.Boolean(), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_grants"),
        sa.ForeignKeyConstraint(["area_id"], ["areas.id"], name="fk_grants_area_id"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_grants_person_id"),
        sa.CheckConstraint("weekdays between 1 and 127", name="ck_grants_weekdays"),
    )
    op.create_index("ix_grants_area_id", "grants", ["area_id"])
    op.create_index("ix_grants_person_id", "grants", ["person_id"])
    op.create_table(
        "rights_changes",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("door_id", sa.String(32), nullable=True),
        sa.Column("cause", sa.String(60), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_rights_changes"),
        sqlite_autoincrement=True,
    )


def _bookings() -> None:
    op.create_table(
        "bookings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("space_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("purpose", sa.String(200), nullable=False),
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_bookings"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_bookings_person_id"),
        sa.ForeignKeyConstraint(["space_id"], ["spaces.area_id"], name="fk_bookings_space_id"),
        sa.CheckConstraint("start_at < end_at", name="ck_bookings_length"),
    )
    op.create_index("ix_bookings_person_id", "bookings", ["person_id"])
    op.create_index("ix_bookings_space_start", "bookings", ["space_id", "start_at"])


def _billing() -> None:
    op.create_table(
        "prices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("space_id", sa.Integer(), nullable=False),
        sa.Column("unit", sa.String(12), nullable=False),
        sa.Column("amount_cents", sa.Integer(), nullable=False),
        sa.Column("vat_permille", sa.Integer(), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_prices"),
        sa.ForeignKeyConstraint(["space_id"], ["spaces.area_id"], name="fk_prices_space_id"),
        sa.CheckConstraint("amount_cents >= 0", name="ck_prices_amount"),
        sa.CheckConstraint("unit in ('entry', 'day', 'booked_hour')", name="ck_prices_unit"),
        sa.CheckConstraint("vat_permille between 0 and 1000", name="ck_prices_vat"),
    )
    op.create_index("ix_prices_space_unit_from_day", "prices", ["space_id", "unit", "from_day"])


def _ledger() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("journal", sa.String(64), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("door_id", sa.String(32), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.ForeignKeyConstraint(["door_id"], ["doors.id"], name="fk_events_door_id"),
        sa.UniqueConstraint("journal", "sequence", name="uq_events_journal_sequence"),
    )
    op.create_table(
        "event_bytes",
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_event_bytes"),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="fk_event_bytes_event_id"),
    )
    op.create_table(
        "forks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("journal", sa.String(64), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("door_id", sa.String(32), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_forks"),
        sa.UniqueConstraint("journal", "sequence", "hash", name="uq_forks_journal_sequence_hash"),
    )
    op.create_table(
        "journals",
        sa.Column("journal", sa.String(64), nullable=False),
        sa.Column("door_id", sa.String(32), nullable=False),
        sa.Column("up_to", sa.Integer(), nullable=False),
        sa.Column("last_seen", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("complete_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("journal", name="pk_journals"),
        sa.ForeignKeyConstraint(["door_id"], ["doors.id"], name="fk_journals_door_id"),
    )
    op.create_index("ix_journals_door_id", "journals", ["door_id"])
    op.create_table(
        "taps",
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("door_id", sa.String(32), nullable=False),
        sa.Column("point", sa.String(16), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("granted", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(40), nullable=True),
        sa.Column("cause", sa.String(60), nullable=True),
        sa.Column("decided_by", sa.String(10), nullable=False),
        sa.Column("disagreed", sa.Boolean(), nullable=False),
        sa.Column("clock", sa.String(12), nullable=False),
        sa.Column("outcome", sa.String(20), nullable=True),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("keytag_id", sa.Integer(), nullable=True),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("event_id", name="pk_taps"),
        sa.ForeignKeyConstraint(["door_id"], ["doors.id"], name="fk_taps_door_id"),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="fk_taps_event_id"),
        sa.ForeignKeyConstraint(["keytag_id"], ["keytags.id"], name="fk_taps_keytag_id"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_taps_person_id"),
    )
    op.create_index("ix_taps_at", "taps", ["at"])
    op.create_index("ix_taps_door_at", "taps", ["door_id", "at"])
    op.create_index("ix_taps_person_id", "taps", ["person_id"])
    op.create_table(
        "entries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tap_event_id", sa.Integer(), nullable=False),
        sa.Column("space_id", sa.Integer(), nullable=False),
        sa.Column("service_day", sa.Date(), nullable=False),
        sa.Column("vat_day", sa.Date(), nullable=False),
        sa.Column("event_hash", sa.String(64), nullable=False),
        sa.Column("merged_into", sa.Integer(), nullable=True),
        sa.Column("booking_id", sa.Integer(), nullable=True),
        sa.Column("doubtful", sa.Boolean(), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_entries"),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name="fk_entries_booking_id"),
        sa.ForeignKeyConstraint(["merged_into"], ["entries.id"], name="fk_entries_merged_into"),
        sa.ForeignKeyConstraint(["space_id"], ["spaces.area_id"], name="fk_entries_space_id"),
        sa.ForeignKeyConstraint(["tap_event_id"], ["events.id"], name="fk_entries_tap_event_id"),
        sa.CheckConstraint("merged_into is null or merged_into <> id", name="ck_entries_merged_into"),
        sa.UniqueConstraint("tap_event_id", name="uq_entries_tap_event_id"),
    )
    op.create_index("ix_entries_day_space", "entries", ["service_day", "space_id"])
    op.create_table(
        "entry_people",
        sa.Column("entry_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name="pk_entry_people"),
        sa.ForeignKeyConstraint(["entry_id"], ["entries.id"], name="fk_entry_people_entry_id"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_entry_people_person_id"),
    )
    op.create_index("ix_entry_people_person_at", "entry_people", ["person_id", "at"])
    op.create_table(
        "counters",
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("door_id", sa.String(32), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", "door_id", name="pk_counters"),
    )


def _invoices() -> None:
    op.create_table(
        "months",
        sa.Column("month", sa.String(7), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_by", sa.String(200), nullable=False),
        sa.Column("left_open", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("month", name="pk_months"),
    )
    op.create_table(
        "invoices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("month", sa.String(7), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("net_cents", sa.Integer(), nullable=False),
        sa.Column("vat_cents", sa.Integer(), nullable=False),
        sa.Column("gross_cents", sa.Integer(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_invoices"),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name="fk_invoices_customer_id"),
        sa.ForeignKeyConstraint(["month"], ["months.month"], name="fk_invoices_month"),
        sa.UniqueConstraint("month", "customer_id", name="uq_invoices_month_customer_id"),
        sa.UniqueConstraint("number", name="uq_invoices_number"),
    )
    op.create_index("ix_invoices_customer_id", "invoices", ["customer_id"])
    op.create_table(
        "invoice_lines",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("invoice_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("charge_key", sa.String(120), nullable=False),
        sa.Column("space_id", sa.Integer(), nullable=False),
        sa.Column("service_day", sa.Date(), nullable=False),
        sa.Column("vat_day", sa.Date(), nullable=False),
        sa.Column("unit", sa.String(12), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("unit_cents", sa.Integer(), nullable=False),
        sa.Column("vat_permille", sa.Integer(), nullable=False),
        sa.Column("net_cents", sa.Integer(), nullable=False),
        sa.Column("cause", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_invoice_lines"),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name="fk_invoice_lines_invoice_id"),
        sa.ForeignKeyConstraint(["space_id"], ["spaces.area_id"], name="fk_invoice_lines_space_id"),
        sa.UniqueConstraint("charge_key", name="uq_invoice_lines_charge_key"),
    )
    op.create_index("ix_invoice_lines_invoice_id", "invoice_lines", ["invoice_id"])
    op.create_table(
        "invoice_documents",
        sa.Column("invoice_id", sa.Integer(), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("pdf", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("invoice_id", "language", name="pk_invoice_documents"),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name="fk_invoice_documents_invoice_id"),
    )


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("act", sa.String(60), nullable=False),
        sa.Column("subject", sa.String(120), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_index("ix_audit_subject", "audit", ["subject"])
