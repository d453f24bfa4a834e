# SPDX-License-Identifier: AGPL-3.0-or-later
"""How far each journal of a door went, by the door's word: what a card that died had not sent is a gap with a name."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "door_journals",
        sa.Column("door_id", sa.String(32), nullable=False),
        sa.Column("journal", sa.String(64), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("given_up", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["door_id"], ["doors.id"], name="fk_door_journals_door_id"),
        sa.PrimaryKeyConstraint("door_id", "journal", name="pk_door_journals"),
    )


def downgrade() -> None:
    op.drop_table("door_journals")
