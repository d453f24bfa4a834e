# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is kept of who was told, shown and forgotten."""

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
