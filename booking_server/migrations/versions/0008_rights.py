# SPDX-License-Identifier: AGPL-3.0-or-later
"""Unlocking hours, lock-downs of a site, what a grant or a person may have beyond passing, and up to where each door knows."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

FLAGS = (("doors", "unlocking_waits"), ("grants", "may_disarm"), ("grants", "starts_unlocking"), ("people", "extended_time"))


def upgrade() -> None:
    for table, column in FLAGS:
        op.add_column(table, sa.Column(column, sa.Boolean(), nullable=False, server_default="0"))
    op.create_table(
        "unlocking_hours",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("door_id", sa.String(32), nullable=False),
        sa.Column("weekdays", sa.Integer(), nullable=False),
        sa.Column("from_time", sa.Time(), nullable=False),
        sa.Column("until_time", sa.Time(), nullable=False),
        sa.CheckConstraint("weekdays between 1 and 127", name="ck_unlocking_hours_weekdays"),
        sa.ForeignKeyConstraint(["door_id"], ["doors.id"], name="fk_unlocking_hours_door_id"),
        sa.PrimaryKeyConstraint("id", name="pk_unlocking_hours"),
    )
    op.create_index("ix_unlocking_hours_door_id", "unlocking_hours", ["door_id"])
    op.create_table(
        "lock_downs",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("on", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("reason", sa.String(400), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name="fk_lock_downs_site_id"),
        sa.PrimaryKeyConstraint("number", name="pk_lock_downs"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_lock_downs_site_id", "lock_downs", ["site_id"])
    op.add_column("door_status", sa.Column("rights_known", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("ix_rights_changes_person_id", "rights_changes", ["person_id"])


def downgrade() -> None:
    op.drop_index("ix_rights_changes_person_id", "rights_changes")
    op.drop_column("door_status", "rights_known")
    op.drop_table("lock_downs")
    op.drop_table("unlocking_hours")
    for table, column in reversed(FLAGS):
        op.drop_column(table, column)
