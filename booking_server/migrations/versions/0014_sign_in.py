# SPDX-License-Identifier: AGPL-3.0-or-later
"""Second factors, recovery codes and links by mail."""

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
