# SPDX-License-Identifier: AGPL-3.0-or-later
"""How often a refused tap was repeated right after."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("taps", sa.Column("again", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("taps", "again")
