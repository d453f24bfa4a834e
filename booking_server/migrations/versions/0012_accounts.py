# SPDX-License-Identifier: AGPL-3.0-or-later
"""Roles by site, and sessions that the server keeps."""

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
