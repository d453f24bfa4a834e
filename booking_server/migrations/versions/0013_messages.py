# SPDX-License-Identifier: AGPL-3.0-or-later
"""The outbox, and what each person chose to get."""

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
