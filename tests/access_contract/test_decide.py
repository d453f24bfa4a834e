# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may pass, and the reason if not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from access_contract.decide import decide
from access_contract.snapshot import DoorRules, LiveFacts, Right, Snapshot, TagRights, Window, decode, encode
from access_contract.vocabulary import AccessPointId, Assurance, DoorId, Moment, Reason, TagHash, TagNumber, tag_hash

SEVEN = datetime(2026, 1, 31, 7, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
IN = AccessPointId("in")
TAG = TagHash("a" * 64)
RULES = DoorRules()
RIGHT = Right(cause="grant:1", windows="days", access_points=(IN,))


def snapshot(*rights: Right, rules: DoorRules = RULES, refused: Reason | None = None) -> Snapshot:
    return Snapshot(
        door=DoorId("kitchen"), number=1, made_at=SEVEN, expires_at=SEVEN + 24 * HOUR, rules=rules,
        window_sets={"days": (Window(SEVEN, SEVEN + 10 * HOUR),)}, tags={TAG: TagRights(rights=rights, refused=refused)},
    )  # fmt: skip


def reason(
    held: Snapshot, *, at: datetime = SEVEN, live: LiveFacts | None = None, tag: TagHash = TAG, **of: object
) -> Reason | None:
    return decide(held, live, tag, Moment(now=at, **({"access_point": IN} | of))).reason  # type: ignore[arg-type]


def test_granted_in_the_window_and_refused_at_its_end() -> None:
    """A window includes its start and not its end."""
    held = snapshot(RIGHT)
    assert reason(held) is None
    assert reason(held, at=SEVEN + 10 * HOUR - timedelta(microseconds=1)) is None
    assert reason(held, at=SEVEN + 10 * HOUR) is Reason.OUTSIDE_HOURS
    assert reason(held, at=SEVEN - timedelta(microseconds=1)) is Reason.OUTSIDE_HOURS


def test_empty_snapshot_refuses_everyone() -> None:
    """Ignorance refuses: a door that knows nothing admits nobody."""
    assert reason(snapshot(), tag=TagHash("b" * 64)) is Reason.TAG_UNKNOWN
    assert reason(snapshot()) is Reason.NO_GRANT


def test_each_refusal_has_its_reason() -> None:
    """Every check refuses with the reason that a person can act on."""
    booking = msgspec.structs.replace(RIGHT, booked=True)
    held = snapshot(RIGHT)
    assert reason(snapshot(RIGHT, refused=Reason.TAG_BLOCKED)) is Reason.TAG_BLOCKED
    assert reason(held, access_point=AccessPointId("out")) is Reason.NO_GRANT
    assert reason(held, clock_trusted=False) is Reason.CLOCK_UNTRUSTED
    assert reason(held, at=SEVEN + 24 * HOUR) is Reason.SNAPSHOT_EXPIRED
    assert reason(snapshot(booking), at=SEVEN + 11 * HOUR) is Reason.NO_BOOKING
    assert reason(snapshot(RIGHT, rules=DoorRules(minimum_assurance=Assurance.A3))) is Reason.ASSURANCE_TOO_LOW
    assert reason(held, live=LiveFacts(space_full=True)) is Reason.SPACE_FULL
    assert reason(held, live=LiveFacts(quota_used=True)) is Reason.QUOTA_USED


STANDING = msgspec.structs.replace(RIGHT, standing=True)


def test_standing_right_outlasts_snapshot_and_clock() -> None:
    """The caretaker gets in when the snapshot is old and holds no more hours, or when the clock is lost."""
    held = snapshot(STANDING)
    assert reason(held, at=SEVEN + 400 * HOUR) is None
    assert reason(held, at=SEVEN + 11 * HOUR, clock_trusted=False) is None


def test_the_hours_of_a_standing_right_hold_as_long_as_they_are_known() -> None:
    """An expired snapshot does not open the door at night for who may come by day, while the clock is trusted."""
    days = tuple(Window(SEVEN + 24 * day * HOUR, SEVEN + (24 * day + 10) * HOUR) for day in range(35))
    held = msgspec.structs.replace(snapshot(STANDING), expires_at=SEVEN + 14 * 24 * HOUR, window_sets={"days": days})
    at = [
        reason(held, at=SEVEN + hours * HOUR) for hours in (20 * 24 + 1, 20 * 24 + 11, 34 * 24 + 1, 34 * 24 + 11, 50 * 24 + 11)
    ]
    assert at == [None, Reason.OUTSIDE_HOURS, None, None, None]
    assert reason(held, at=SEVEN + (20 * 24 + 11) * HOUR, clock_trusted=False) is None


def test_a_standing_right_that_ended_is_not_believed_again() -> None:
    """Refused after its last day, it stays refused when the snapshot expires; only without a clock nobody can tell."""
    held = snapshot(msgspec.structs.replace(STANDING, until=SEVEN + 10 * HOUR))
    assert reason(held, at=SEVEN + 11 * HOUR) is Reason.OUTSIDE_HOURS
    assert reason(held, at=SEVEN + 400 * HOUR) is Reason.OUTSIDE_HOURS
    assert reason(held, at=SEVEN + 400 * HOUR, clock_trusted=False) is None


def test_a_door_may_admit_nobody_by_an_expired_snapshot() -> None:
    """Where the hub chose so, not even a standing right opens; before that it does."""
    held = snapshot(STANDING, rules=DoorRules(expired_snapshot_admits_standing=False))
    assert reason(held, at=SEVEN + 23 * HOUR, clock_trusted=False) is None
    assert reason(held, at=SEVEN + 24 * HOUR) is Reason.SNAPSHOT_EXPIRED
    assert reason(held, at=SEVEN + 24 * HOUR, clock_trusted=False) is Reason.SNAPSHOT_EXPIRED


@given(
    hours=st.integers(-50, 50), standing=st.booleans(), trusted=st.booleans(), until=st.sampled_from([None, -5, 5, 30]),
    rules=st.builds(
        DoorRules, untrusted_clock_admits=st.booleans(), expired_snapshot_admits_standing=st.booleans(),
    ),
)  # fmt: skip
def test_doubt_admits_nobody_but_the_standing_and_by_rule(
    *,
    hours: int,
    standing: bool,
    trusted: bool,
    until: int | None,
    rules: DoorRules,
) -> None:
    """Law 4: what is admitted in doubt, or outside the hours on board, is a standing right or a named setting."""
    end = None if until is None else SEVEN + until * HOUR
    right = msgspec.structs.replace(RIGHT, standing=standing, until=end if standing else None)
    now = SEVEN + hours * HOUR
    if reason(snapshot(right, rules=rules), at=now, clock_trusted=trusted) is not None:
        return
    inside, expired = 0 <= hours < 10, hours >= 24
    assert trusted or standing or (rules.untrusted_clock_admits and inside)
    assert not expired or (standing and rules.expired_snapshot_admits_standing)
    assert inside or (standing and (not trusted or (expired and (end is None or now < end))))


def test_door_alone_follows_its_rules_for_what_only_the_server_knows() -> None:
    """Occupancy and quota unknown: the door's named settings decide."""
    strict = DoorRules(full_space_admits_alone=False)
    assert reason(snapshot(RIGHT, rules=strict)) is Reason.SPACE_FULL
    assert reason(snapshot(RIGHT, rules=strict), live=LiveFacts()) is None


def test_snapshot_survives_its_bytes() -> None:
    """A snapshot read back from its bytes is the same, and has the same bytes."""
    held = snapshot(RIGHT)
    assert decode(encode(held)) == held
    assert encode(decode(encode(held))) == encode(held)


def test_tag_hash_is_the_published_one() -> None:
    """The hash of a known number under a known key is the vector in the protocol document."""
    number = TagNumber.parse("04 78 2E 21 80 1D 80")
    assert tag_hash(bytes(range(32)), number) == "e4071d4d25a1a66b82d19e04fb37d5a2d9f5116310380de02d13b5f5f9606a2c"


@given(hours=st.integers(-50, 50), standing=st.booleans(), trusted=st.booleans(), refused=st.sampled_from([None, *Reason]))
def test_blocking_never_admits(hours: int, standing: bool, trusted: bool, refused: Reason | None) -> None:  # noqa: FBT001
    """Law: refusing a tag never turns a refusal into a grant, and deciding twice is the same."""
    right = msgspec.structs.replace(RIGHT, standing=standing)
    moment = Moment(now=SEVEN + hours * HOUR, access_point=IN, clock_trusted=trusted)
    decision = decide(snapshot(right, refused=refused), None, TAG, moment)
    assert decision == decide(snapshot(right, refused=refused), None, TAG, moment)
    assert not (decision.granted and refused is not None)
    assert decision.granted == (decision.cause is not None)
