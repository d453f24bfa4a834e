# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a roster said of whom: names of people elsewhere, access it gave, files that wait for a yes, and when each was read."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "external_ids",
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("external_id", sa.String(100), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_external_ids_person_id"),
        sa.PrimaryKeyConstraint("person_id", name="pk_external_ids"),
        sa.UniqueConstraint("external_id", name="uq_external_ids_external_id"),
    )
    op.create_table(
        "roster_grants",
        sa.Column("grant_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["grant_id"], ["grants.id"], name="fk_roster_grants_grant_id"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_roster_grants_person_id"),
        sa.PrimaryKeyConstraint("grant_id", name="pk_roster_grants"),
    )
    op.create_index("ix_roster_grants_person_id", "roster_grants", ["person_id"])
    op.create_table(
        "uploads",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_uploads_account_id"),
        sa.PrimaryKeyConstraint("id", name="pk_uploads"),
        sa.UniqueConstraint("account_id", name="uq_uploads_account_id"),
    )
    op.create_table(
        "imports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("source", sa.String(10), nullable=False),
        sa.Column("file", sa.String(200), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("outcome", sa.String(10), nullable=False),
        sa.Column("trouble", sa.String(20), nullable=True),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("refusals", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_imports"),
        sa.CheckConstraint("source in ('file', 'roster')", name="ck_imports_source"),
        sa.CheckConstraint("outcome in ('done', 'stopped')", name="ck_imports_outcome"),
    )
    op.create_index("ix_imports_at", "imports", ["at"])


def downgrade() -> None:
    op.drop_index("ix_imports_at", "imports")
    op.drop_table("imports")
    op.drop_table("uploads")
    op.drop_index("ix_roster_grants_person_id", "roster_grants")
    op.drop_table("roster_grants")
    op.drop_table("external_ids")
