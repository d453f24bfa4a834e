# SPDX-License-Identifier: AGPL-3.0-or-later
"""No two people hold one place: the database refuses a booking for which a space has no place left at some instant.

Times are half-open, so one booking may start at the instant another ends. A space of capacity n takes n bookings at
once; what counts is the most that ever stand together, looked at on the instants where that number can grow.

SQLite has one writer at a time, so what the trigger sees is all there is. PostgreSQL: the trigger first locks the
space's row (in the strength that leaves foreign keys to it alone), so bookings of one space pass one by one, and each
then looks with a fresh snapshot; where the transaction has a frozen one (repeatable read) it refuses instead of guessing.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_NO_PLACE_LEFT = """
SELECT 1 FROM (
    SELECT NEW.start_at AS instant
    UNION
    SELECT b.start_at FROM bookings b
    WHERE b.space_id = NEW.space_id AND b.id <> NEW.id AND b.cancelled_at IS NULL
        AND b.start_at > NEW.start_at AND b.start_at < NEW.end_at
) AS instants
WHERE (
    SELECT count(*) FROM bookings o
    WHERE o.space_id = NEW.space_id AND o.id <> NEW.id AND o.cancelled_at IS NULL
        AND o.start_at <= instants.instant AND o.end_at > instants.instant
) >= (SELECT s.capacity FROM spaces s WHERE s.area_id = NEW.space_id)
"""

_SQLITE = """
CREATE TRIGGER bookings_never_overlap_{name} AFTER {event} ON bookings
WHEN NEW.cancelled_at IS NULL
BEGIN
    SELECT RAISE(ABORT, 'space_taken') WHERE EXISTS ({no_place_left});
END
"""

_POSTGRESQL_FUNCTION = """
CREATE FUNCTION bookings_never_overlap() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('transaction_isolation') = 'repeatable read' THEN
        RAISE EXCEPTION 'bookings are written in read committed or serializable transactions';
    END IF;
    PERFORM 1 FROM spaces WHERE area_id = NEW.space_id FOR NO KEY UPDATE;
    IF EXISTS ({no_place_left}) THEN
        RAISE EXCEPTION 'space_taken' USING ERRCODE = 'exclusion_violation';
    END IF;
    RETURN NULL;
END $$
"""

_POSTGRESQL_TRIGGER = """
CREATE TRIGGER bookings_never_overlap AFTER INSERT OR UPDATE ON bookings
FOR EACH ROW WHEN (NEW.cancelled_at IS NULL) EXECUTE FUNCTION bookings_never_overlap()
"""


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for name, event in (("insert", "INSERT"), ("update", "UPDATE")):
            op.execute(_SQLITE.format(name=name, event=event, no_place_left=_NO_PLACE_LEFT))
    else:
        op.execute(_POSTGRESQL_FUNCTION.format(no_place_left=_NO_PLACE_LEFT))
        op.execute(_POSTGRESQL_TRIGGER)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for name in ("insert", "update"):
            op.execute(f"DROP TRIGGER bookings_never_overlap_{name}")
    else:
        op.execute("DROP TRIGGER bookings_never_overlap ON bookings")
        op.execute("DROP FUNCTION bookings_never_overlap()")
