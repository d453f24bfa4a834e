# SPDX-License-Identifier: AGPL-3.0-or-later
"""Passkeys and accounts known elsewhere."""

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
