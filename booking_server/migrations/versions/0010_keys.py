# SPDX-License-Identifier: AGPL-3.0-or-later
"""A door's box may be stolen or replaced: its certificates are revoked, its names for tags end, and tags are exchanged."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("doors", sa.Column("stolen_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("door_tags", sa.Column("former", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "revocations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("door_id", sa.String(32), nullable=False),
        sa.Column("why", sa.String(10), nullable=False),
        sa.Column("reason", sa.String(400), nullable=False),
        sa.Column("serials", sa.JSON(), nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("became", sa.String(20), nullable=True),
        sa.CheckConstraint("why in ('stolen', 'replaced')", name="ck_revocations_why"),
        sa.ForeignKeyConstraint(["door_id"], ["doors.id"], name="fk_revocations_door_id"),
        sa.PrimaryKeyConstraint("id", name="pk_revocations"),
    )
    op.create_index("ix_revocations_door_id", "revocations", ["door_id"])
    op.create_table(
        "exposures",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("keytag_id", sa.Integer(), nullable=False),
        sa.Column("door_id", sa.String(32), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["door_id"], ["doors.id"], name="fk_exposures_door_id"),
        sa.ForeignKeyConstraint(["keytag_id"], ["keytags.id"], name="fk_exposures_keytag_id"),
        sa.PrimaryKeyConstraint("id", name="pk_exposures"),
    )
    op.create_index("ix_exposures_keytag_id", "exposures", ["keytag_id"])


def downgrade() -> None:
    op.drop_table("exposures")
    op.drop_table("revocations")
    op.execute("delete from door_tags where former")
    op.drop_column("door_tags", "former")
    op.drop_column("doors", "stolen_at")
