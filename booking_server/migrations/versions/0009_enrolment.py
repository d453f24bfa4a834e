# SPDX-License-Identifier: AGPL-3.0-or-later
"""New boxes that ask to become a door, until staff approve or refuse them or their time is over."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "enrolments",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("address", sa.String(45), nullable=False),
        sa.Column("hardware", sa.String(120), nullable=False),
        sa.Column("signing_key", sa.LargeBinary(), nullable=False),
        sa.Column("sealing_key", sa.LargeBinary(), nullable=False),
        sa.Column("commitment", sa.LargeBinary(), nullable=False),
        sa.Column("server_nonce", sa.LargeBinary(), nullable=False),
        sa.Column("box_nonce", sa.LargeBinary(), nullable=True),
        sa.Column("wrong_codes", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(10), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("door_id", sa.String(32), nullable=True),
        sa.Column("package", sa.LargeBinary(), nullable=True),
        sa.Column("signature", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["door_id"], ["doors.id"], name="fk_enrolments_door_id"),
        sa.PrimaryKeyConstraint("id", name="pk_enrolments"),
    )
    op.create_index("ix_enrolments_asked_at", "enrolments", ["asked_at"])


def downgrade() -> None:
    op.drop_index("ix_enrolments_asked_at", "enrolments")
    op.drop_table("enrolments")
