# SPDX-License-Identifier: AGPL-3.0-or-later
"""What was counted when its month closed is settled: nothing that arrives later changes it. Entries in doubt are found fast."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("entries", sa.Column("settled", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index(
        "ix_entries_doubtful",
        "entries",
        ["tap_event_id"],
        sqlite_where=sa.text("doubtful = 1"),
        postgresql_where=sa.text("doubtful"),
    )
    op.execute(
        "update entries set settled = true "
        "where substr(cast(service_day as varchar(10)), 1, 7) <= (select max(month) from months)"
    )


def downgrade() -> None:
    op.drop_index("ix_entries_doubtful", "entries")
    op.drop_column("entries", "settled")
