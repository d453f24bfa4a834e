# SPDX-License-Identifier: AGPL-3.0-or-later
"""All that the server knows of who may pass one door, kept so that one person's change touches only what is theirs.

Pure. It holds refused tags too, to name the reason; what a door is to hold leaves them out, and all digests are of that.
A DoorRights never changes: a change makes another that shares what it left alone, so that whoever reads one reads it whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from itertools import chain
from typing import TypeVar

from msgspec import structs

from access_contract.snapshot import (
    EMPTY_BUCKET,
    DoorRules,
    Head,
    LockDown,
    TagRights,
    Unlocking,
    Window,
    bucket_digest,
    exact,
    snapshot_digest,
    window_sets_digest,
)
from access_contract.vocabulary import DoorId, TagHash
from booking_server.access.holdings import Holdings
from booking_server.access.rules import Holder, Hours, OwnHours

Bucket = Mapping[TagHash, TagRights]
WindowSets = Mapping[str, tuple[Window, ...]]
Encode = Callable[[TagRights], bytes]
Kept = TypeVar("Kept")
_NOTHING: Bucket = {}
_DAYS = 1_000_000
"""Snapshot numbers grow with each rights change and, between changes, with the day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorRights:
    """One door's part of the server's index. `digest` is that of the snapshot which the door is to hold.

    `buckets` holds its tags by the first two digits of their hash, `uses` how often each window set is named.
    """

    head: Head
    digest: str
    window_sets: WindowSets
    windows_digest: str
    buckets: Mapping[str, Bucket]
    bucket_digests: Mapping[str, str]
    uses: Counter[str]

    @property
    def door(self) -> DoorId:
        return self.head.door

    @property
    def number(self) -> int:
        return self.head.number

    @property
    def rules(self) -> DoorRules:
        return self.head.rules

    @property
    def expires_at(self) -> datetime:
        return self.head.expires_at

    @property
    def tags(self) -> dict[TagHash, TagRights]:
        """All tags in one, refused ones too; made anew at each call."""
        return {tag: held for bucket in self.buckets.values() for tag, held in bucket.items()}

    def rights_of(self, tag: TagHash) -> TagRights | None:
        return self.buckets.get(tag[:2], _NOTHING).get(tag)

    def windows(self, name: str) -> tuple[Window, ...]:
        return self.window_sets.get(name, ())

    def numbered(self, number: int) -> DoorRights:
        """Return the same rights under another number."""
        head = structs.replace(self.head, number=number)
        return replace(self, head=head, digest=snapshot_digest(exact(head), self.windows_digest, self.bucket_digests))

    def after(self, before: DoorRights) -> DoorRights:
        """Return these rights under the number they have as the door's next: that of `before` if the door sees no difference,
        so that it is sent nothing, else a larger one."""
        number = before.number if _looks_like(self, before) else max(self.number, before.number + 1)
        return self if number == self.number else self.numbered(number)

    def with_head(self, head: Head, unlocking: Hours | None) -> DoorRights:
        """Return the same tags under another word on the door itself; `unlocking` are the hours that the head names."""
        uses = Counter(self.uses)
        _count(uses, _named_by_head(self.head), -1)
        _count(uses, _named_by_head(head), 1)
        sets = {**self.window_sets} if unlocking is None else {**self.window_sets, unlocking.name: unlocking.windows}
        made = _made(head, sets, uses, self.buckets, self.bucket_digests, self)
        return self if _looks_like(made, self) else made.after(self)

    def with_tags(self, number: int, tags: Mapping[TagHash, TagRights | None], window_sets: WindowSets) -> DoorRights:
        """Return the rights with these tags as they are now (None: known no more); itself if they are so already."""
        new = {tag: held for tag, held in tags.items() if self.rights_of(tag) != held}
        if not new:
            return self
        uses, buckets, digests = Counter(self.uses), dict(self.buckets), dict(self.bucket_digests)
        touched = {name: dict(buckets.get(name, _NOTHING)) for name in {tag[:2] for tag in new}}
        for tag, held in new.items():
            bucket = touched[tag[:2]]
            _count(uses, _named_by_tag(bucket.pop(tag, None)), -1)
            _count(uses, _named_by_tag(held), 1)
            if held is not None:
                bucket[tag] = held
        for name, bucket in touched.items():
            _keep(buckets, name, bucket)
            _keep(digests, name, _digest_of(bucket, exact))
        head = structs.replace(self.head, number=number)
        return _made(head, {**self.window_sets, **window_sets}, uses, buckets, digests, self).after(self)


def index_of_door(
    *,
    door: DoorId,
    rules: DoorRules,
    expiry_days: int,
    change: int,
    now: datetime,
    tags: Iterable[tuple[TagHash, Holder]],
    holdings: Holdings,
    unlocking: OwnHours | None = None,
    lock_down: LockDown | None = None,
) -> DoorRights:
    """Return all that is known of who may pass `door`, refused tags among them, as of rights change `change`."""
    buckets: dict[str, dict[TagHash, TagRights]] = {}
    for tag, holder in tags:
        held = holdings.at(door, holder)
        if held is not None:
            buckets.setdefault(tag[:2], {})[tag] = held
    head = head_of_door(door, rules, expiry_days, change, now, unlocking, lock_down)
    sets = {**holdings.window_sets}
    if unlocking is not None:
        sets[unlocking.hours.name] = unlocking.hours.windows
    digests = {name: digest for name, bucket in buckets.items() if (digest := _digest_of(bucket, holdings.exact))}
    named = holdings.names(Counter(map(id, chain.from_iterable(bucket.values() for bucket in buckets.values()))))
    _count(named, _named_by_head(head), 1)
    return _made(head, sets, named, buckets, digests, None)


def head_of_door(
    door: DoorId,
    rules: DoorRules,
    expiry_days: int,
    change: int,
    now: datetime,
    unlocking: OwnHours | None,
    lock_down: LockDown | None,
) -> Head:
    """Return what a snapshot made at `now`, as of rights change `change`, says of the door itself."""
    made_at = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
    return Head(
        door=door,
        number=change * _DAYS + made_at.toordinal(),
        made_at=made_at,
        expires_at=made_at + timedelta(days=expiry_days),
        rules=rules,
        unlocking=None if unlocking is None else Unlocking(windows=unlocking.hours.name, first_in=unlocking.waits),
        lock_down=lock_down,
    )


def _made(
    head: Head,
    sets: WindowSets,
    uses: Counter[str],
    buckets: Mapping[str, Bucket],
    digests: Mapping[str, str],
    before: DoorRights | None,
) -> DoorRights:
    """Return the whole with only the window sets that are named; those of `before` are kept, and their digest, if they stay."""
    sets = {name: windows for name, windows in sets.items() if uses[name] > 0}
    if before is not None and sets == before.window_sets:
        sets, windows_digest = before.window_sets, before.windows_digest
    else:
        windows_digest = window_sets_digest((name, exact(windows)) for name, windows in sets.items())
    return DoorRights(
        head=head,
        digest=snapshot_digest(exact(head), windows_digest, digests),
        window_sets=sets,
        windows_digest=windows_digest,
        buckets=buckets,
        bucket_digests=digests,
        uses=uses,
    )


def admitted(bucket: Bucket) -> Iterable[tuple[TagHash, TagRights]]:
    """Return the tags of a bucket that the door may hold: none that is refused."""
    return ((tag, held) for tag, held in bucket.items() if held.refused is None)


def _looks_like(one: DoorRights, other: DoorRights) -> bool:
    """True if a door sees no difference but the number."""
    return one.numbered(0).digest == other.numbered(0).digest


def _digest_of(bucket: Bucket, encode: Encode) -> str | None:
    """Return the digest of what the door may hold of a bucket; None if that is nothing."""
    digest = bucket_digest((tag, encode(held)) for tag, held in admitted(bucket))
    return None if digest == EMPTY_BUCKET else digest


def _keep(kept: dict[str, Kept], name: str, what: Kept | None) -> None:
    if what:
        kept[name] = what
    else:
        kept.pop(name, None)


def _named_by_head(head: Head) -> list[str]:
    return [] if head.unlocking is None else [head.unlocking.windows]


def _named_by_tag(held: TagRights | None) -> list[str]:
    return [] if held is None else [right.windows for right in held.rights]


def _count(uses: Counter[str], names: Iterable[str], by: int) -> None:
    for name in names:
        uses[name] += by
        if not uses[name]:
            del uses[name]
