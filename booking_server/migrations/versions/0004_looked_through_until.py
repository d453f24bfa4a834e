# SPDX-License-Identifier: AGPL-3.0-or-later
"""A closed month remembers the newest entry that its closing saw, so that what came late is found without rating all anew."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("months", sa.Column("newest_entry", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("months", "newest_entry")
