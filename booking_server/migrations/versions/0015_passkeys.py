# SPDX-License-Identifier: AGPL-3.0-or-later
"""Passkeys, accounts known elsewhere, and which roles came from there."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "passkeys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("credential_id", sa.String(1400), nullable=False),
        sa.Column("user_handle", sa.String(64), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("transports", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_passkeys_account_id"),
        sa.PrimaryKeyConstraint("id", name="pk_passkeys"),
        sa.UniqueConstraint("credential_id", name="uq_passkeys_credential_id"),
    )
    op.create_index("ix_passkeys_account_id", "passkeys", ["account_id"])
    op.create_table(
        "used_challenges",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("until_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_used_challenges"),
    )
    op.create_index("ix_used_challenges_until_at", "used_challenges", ["until_at"])
    op.create_table(
        "federated_links",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("issuer", sa.String(300), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_federated_links_account_id"),
        sa.PrimaryKeyConstraint("id", name="pk_federated_links"),
        sa.UniqueConstraint("issuer", "subject", name="uq_federated_links_issuer_subject"),
    )
    op.create_index("ix_federated_links_account_id", "federated_links", ["account_id"])
    with op.batch_alter_table("account_roles") as roles:
        roles.add_column(sa.Column("federated", sa.Boolean(), nullable=False, server_default="0"))
        roles.drop_constraint("uq_account_roles_account_id_role_site_id", type_="unique")
        roles.create_unique_constraint(
            "uq_account_roles_account_id_role_site_id_federated", ["account_id", "role", "site_id", "federated"]
        )


def downgrade() -> None:
    """What came from elsewhere is dropped with the way in: nobody keeps a role that nothing would take away any more."""
    op.execute("delete from account_roles where federated")
    with op.batch_alter_table("account_roles") as roles:
        roles.drop_constraint("uq_account_roles_account_id_role_site_id_federated", type_="unique")
        roles.drop_column("federated")
        roles.create_unique_constraint("uq_account_roles_account_id_role_site_id", ["account_id", "role", "site_id"])
    op.drop_table("federated_links")
    op.drop_table("used_challenges")
    op.drop_table("passkeys")
