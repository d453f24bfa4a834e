# SPDX-License-Identifier: AGPL-3.0-or-later
"""Nothing yet."""

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
