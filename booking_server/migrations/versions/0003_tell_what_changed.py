# SPDX-License-Identifier: AGPL-3.0-or-later
"""PostgreSQL tells who listens on the channel `hubkey` that a rights change or a command was committed, and which of them.

It only wakes the listener early: what happened stands in the table, and who missed the word finds it there. SQLite has
no such word; there the file itself is watched.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TABLES = ("rights_changes", "commands")

_FUNCTION = """
CREATE FUNCTION tell_what_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('hubkey', TG_TABLE_NAME);
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_FUNCTION)
        for table in _TABLES:
            op.execute(
                f"CREATE TRIGGER tell_what_changed AFTER INSERT ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION tell_what_changed()"
            )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table in _TABLES:
            op.execute(f"DROP TRIGGER tell_what_changed ON {table}")
        op.execute("DROP FUNCTION tell_what_changed()")
