# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may pass, and if not, why not. The same function at the door and at the server.

Total and deterministic: no clock, no I/O, no log, no exception. What it does not know, it refuses.
"""

from __future__ import annotations

from dataclasses import dataclass

from access_contract.snapshot import LiveFacts, Right, Rights
from access_contract.vocabulary import Moment, Reason, TagHash

CHECKS = (
    "tag without rights here: tag_unknown",
    "tag refused by the server (blocked, expired, member suspended, agreement ended): that reason",
    "read with too little assurance: assurance_too_low",
    "no right at this access point: no_grant",
    "clock untrusted and no standing right: clock_untrusted, unless the door's rules admit",
    "snapshot expired and no standing right, or the door's rules admit nobody then: snapshot_expired",
    "no open window, nor a standing right of unknown hours: no_booking if all the rights are bookings, else outside_hours",
    "burglar alarm of the site armed: alarm_armed; alone, by the door's rules",
    "space full: space_full; alone, by the door's rules",
    "quota used: quota_used; alone, by the door's rules",
    "granted, by the first open right",
)
"""The order of checks, as the protocol document prints it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Granted (reason None) or refused for one reason. `cause` names the grant or booking that admitted."""

    reason: Reason | None = None
    cause: str | None = None
    passes_lock_down: bool = False
    may_disarm: bool = False
    starts_unlocking: bool = False
    extended: bool = False

    @property
    def granted(self) -> bool:
        return self.reason is None


def decide(rights: Rights, live: LiveFacts | None, tag: TagHash, moment: Moment) -> Decision:
    """Return whether `tag` may pass at `moment`, checking in the order of CHECKS.

    `live` is None when a door decides alone; then `rights.rules` says what an unknown occupancy or quota means.
    What only the door knows (mode, alarm, journal) is a veto that the door applies afterwards.
    """
    held = rights.rights_of(tag)
    if held is None:
        return Decision(reason=Reason.TAG_UNKNOWN)
    if held.refused is not None:
        return Decision(reason=held.refused)
    if moment.assurance < rights.rules.minimum_assurance:
        return Decision(reason=Reason.ASSURANCE_TOO_LOW)
    here = [right for right in held.rights if moment.access_point in right.access_points]
    if not here:
        return Decision(reason=Reason.NO_GRANT)
    believed, doubt = _believed(rights, here, moment)
    if doubt is not None:
        return Decision(reason=doubt)
    right = next((right for right in believed if _is_open(rights, right, moment)), None)
    if right is None:
        return Decision(reason=Reason.NO_BOOKING if all(r.booked for r in here) else Reason.OUTSIDE_HOURS)
    return _against_live(rights, live, right, extended=held.extended)


def _believed(rights: Rights, here: list[Right], moment: Moment) -> tuple[list[Right], Reason | None]:
    """Return the rights that still count, or why none does."""
    if not moment.clock_trusted and not rights.rules.untrusted_clock_admits:
        here = [right for right in here if right.standing]
        if not here:
            return [], Reason.CLOCK_UNTRUSTED
    if moment.now >= rights.expires_at:
        here = [right for right in here if right.standing and rights.rules.expired_snapshot_admits_standing]
        if not here:
            return [], Reason.SNAPSHOT_EXPIRED
    return here, None


def _is_open(rights: Rights, right: Right, moment: Moment) -> bool:
    windows = rights.windows(right.windows)
    return any(window.covers(moment.now) for window in windows) or (right.standing and _is_believed(rights, right, moment))


def _is_believed(rights: Rights, right: Right, moment: Moment) -> bool:
    """True of a standing right whose hours nobody can tell: in doubt about the time, or beyond the windows on board."""
    if not moment.clock_trusted:
        return True
    if moment.now < rights.expires_at or (right.until is not None and moment.now >= right.until):
        return False
    return all(window.end <= moment.now for window in rights.windows(right.windows))


def _against_live(rights: Rights, live: LiveFacts | None, right: Right, *, extended: bool) -> Decision:
    if not rights.rules.unknown_alarm_admits_alone if live is None else live.alarm_armed:
        return Decision(reason=Reason.ALARM_ARMED)
    full = not rights.rules.full_space_admits_alone if live is None else live.space_full
    used = not rights.rules.used_quota_admits_alone if live is None else live.quota_used
    if full:
        return Decision(reason=Reason.SPACE_FULL)
    if used:
        return Decision(reason=Reason.QUOTA_USED)
    return Decision(
        cause=right.cause,
        passes_lock_down=right.passes_lock_down,
        may_disarm=right.may_disarm,
        starts_unlocking=right.starts_unlocking,
        extended=extended,
    )
