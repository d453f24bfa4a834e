# SPDX-License-Identifier: AGPL-3.0-or-later
"""Roles by site, and sessions that the server keeps. Whoever is signed in signs in once more."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account_roles",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "role in ('administrator', 'host', 'billing', 'caretaker', 'reports', 'member')", name="ck_account_roles_role"
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_account_roles_account_id"),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name="fk_account_roles_site_id"),
        sa.PrimaryKeyConstraint("id", name="pk_account_roles"),
        sa.UniqueConstraint("account_id", "role", "site_id", name="uq_account_roles_account_id_role_site_id"),
    )
    op.create_index("ix_account_roles_account_id", "account_roles", ["account_id"])
    op.execute("insert into account_roles (account_id, role) select id, role from accounts")
    op.drop_table("ended_sessions")
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("how", sa.JSON(), nullable=False),
        sa.Column("address", sa.String(60), nullable=False),
        sa.Column("device", sa.String(200), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_sessions_account_id"),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
    )
    op.create_index("ix_sessions_account_id", "sessions", ["account_id"])
    op.create_index("ix_sessions_until_at", "sessions", ["until_at"])
    with op.batch_alter_table("accounts") as accounts:
        accounts.drop_constraint("ck_accounts_role", type_="check")
        accounts.drop_column("role")
        accounts.drop_column("session_number")
        accounts.alter_column("password_hash", existing_type=sa.String(200), nullable=True)


def downgrade() -> None:
    """Whoever had roles that were not known then, or at one site only, may do nothing any more: better than too much."""
    op.execute("update accounts set password_hash = '' where password_hash is null")
    with op.batch_alter_table("accounts") as accounts:
        accounts.alter_column("password_hash", existing_type=sa.String(200), nullable=False)
        accounts.add_column(sa.Column("session_number", sa.Integer(), nullable=False, server_default="1"))
        accounts.add_column(sa.Column("role", sa.String(20), nullable=False, server_default="member"))
    for role in ("billing", "host", "administrator"):
        op.execute(
            f"update accounts set role = '{role}' where id in"  # noqa: S608 - a word of ours
            f" (select account_id from account_roles where role = '{role}' and site_id is null)"
        )
    with op.batch_alter_table("accounts") as accounts:
        accounts.alter_column("role", existing_type=sa.String(20), server_default=None)
        accounts.create_check_constraint("ck_accounts_role", "role in ('administrator', 'host', 'billing', 'member')")
    op.drop_table("sessions")
    op.create_table(
        "ended_sessions",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("until_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ended_sessions"),
    )
    op.drop_table("account_roles")
