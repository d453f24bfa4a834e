# SPDX-License-Identifier: AGPL-3.0-or-later
"""What people asked about their data, what was erased, what staff froze, and when the timer last ran."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "wishes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("text", sa.String(1000), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answer", sa.String(1000), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_by", sa.String(200), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_wishes_person_id"),
        sa.PrimaryKeyConstraint("id", name="pk_wishes"),
        sa.CheckConstraint("kind in ('correct', 'erase', 'restrict', 'object', 'other')", name="ck_wishes_kind"),
    )
    op.create_index("ix_wishes_person_id", "wishes", ["person_id"])
    op.create_table(
        "erasures",
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("went", sa.JSON(), nullable=False),
        sa.Column("stays", sa.JSON(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_erasures_person_id"),
        sa.PrimaryKeyConstraint("person_id", name="pk_erasures"),
    )
    op.create_table(
        "freezes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("door_id", sa.String(32), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("through_day", sa.Date(), nullable=False),
        sa.Column("kept_until", sa.Date(), nullable=False),
        sa.Column("reason", sa.String(400), nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("frozen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["door_id"], ["doors.id"], name="fk_freezes_door_id"),
        sa.PrimaryKeyConstraint("id", name="pk_freezes"),
        sa.CheckConstraint("from_day <= through_day", name="ck_freezes_days"),
    )
    op.create_index("ix_freezes_door_id", "freezes", ["door_id"])
    op.create_table(
        "forgettings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_forgettings"),
    )


def downgrade() -> None:
    op.drop_table("forgettings")
    op.drop_index("ix_freezes_door_id", "freezes")
    op.drop_table("freezes")
    op.drop_table("erasures")
    op.drop_index("ix_wishes_person_id", "wishes")
    op.drop_table("wishes")
