# SPDX-License-Identifier: AGPL-3.0-or-later
"""When this database was put back from a backup, and up to where doors have no more what it lacks."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("journals", sa.Column("gone", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "restores",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("restored_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("backup_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.String(40), nullable=False),
        sa.Column("next_invoice", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_restores"),
    )


def downgrade() -> None:
    op.drop_table("restores")
    op.drop_column("journals", "gone")
