# SPDX-License-Identifier: AGPL-3.0-or-later
"""One example of every message, with the bytes in which the first version wrote it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from access_contract import messages as m
from access_contract.entries import Outcome
from access_contract.snapshot import DoorRules, Right, Snapshot, TagRights, Window, exact
from access_contract.vocabulary import AccessPointId, ClockQuality, DoorId, DoorMode, TagHash

FOLDER = Path(__file__).parent / "v1"
AT = datetime(2026, 1, 31, 5, 0, 0, 250_000, tzinfo=UTC)
DOOR = DoorId("kitchen")
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
IN = AccessPointId("in")
TAG = TagHash("e4071d4d25a1a66b82d19e04fb37d5a2d9f5116310380de02d13b5f5f9606a2c")


def _event(what: m.What, sequence: int = 7) -> m.Event:
    return m.Event(
        journal="j-1",
        sequence=sequence,
        boot="b-1",
        at=AT,
        monotonic_ms=123_456,
        clock=ClockQuality.SYNCED,
        previous=m.FIRST_PREVIOUS,
        what=what,
    )


SAMPLES: dict[str, msgspec.Struct] = {
    "ask": m.Ask(ask="a-1", access_point=IN, sealed=b"\x01\x02\x03", at=AT),
    "request": m.Request(digest="ab" * 32),
    "renew": m.Renew(csr=b"\x30\x01", serial="a1b2", signature=b"\x30\x02"),
    "renewed": m.Renewed(certificate=b"\x30\x03"),
    "captured": m.Captured(capture="c-1", sealed=b"\x01\x02\x03"),
    "events": m.Events(events=[msgspec.Raw(b'{"journal":"j-1"}')]),
    "status": m.Status(
        online=True, at=AT, boot="b-1", nonce="n-1", journal="j-1", last_sequence=9, acknowledged=7, snapshot_number=3,
        snapshot_digest="ab" * 32, contact_open=False, clock=ClockQuality.SYNCED, reader="ok", attention=["journal_slow"],
        version="0.1.0",
    ),
    "answer": m.Answer(ask="a-1", granted=True, cause="grant:1", known=12),
    "renew_shown": m.Renew(csr=b"\x30\x01", serial="a1b2", signature=b"\x30\x02", certificate=b"\x30\x04"),
    "events_gone": m.Events(events=[msgspec.Raw(b'{"journal":"j-1"}')], gone={"j-1": 6}),
    "acknowledgement_again": m.Acknowledgement(journal="j-1", up_to=9, again=True),
    "acknowledgement": m.Acknowledgement(journal="j-1", up_to=9, missing=[4, 5]),
    "snapshot_part": m.SnapshotPart(number=3, digest="ab" * 32, part=0, parts=1, content=b"{}"),
    "snapshot_part_packed": m.SnapshotPart(number=3, digest="ab" * 32, part=0, parts=1, content=b"{}", packing="zlib"),
    "snapshot_current": m.SnapshotCurrent(digest="ab" * 32),
    "snapshot_delta": m.SnapshotDelta(
        from_digest="ab" * 32, digest="cd" * 32,
        head=msgspec.Raw(
            b'{"door":"kitchen","number":4,"made_at":"2026-01-31T05:00:00.250000Z","expires_at":"2026-02-14T05:00:00.250000Z",'
            b'"rules":{"minimum_assurance":0,"untrusted_clock_admits":false,"full_space_admits_alone":true,'
            b'"used_quota_admits_alone":true},"unlocking":{"windows":"w2","first_in":true},"lock_down":{"number":2,"on":true}}'
        ),
        put_window_sets={"w2": msgspec.Raw(exact((Window(AT, AT + timedelta(hours=1)),)))}, drop_window_sets=["w1"],
        put_tags={TAG: msgspec.Raw(exact(TagRights(
            rights=(Right(cause="grant:1", windows="w2", access_points=(IN,), may_disarm=True),), extended=True,
        )))},
        drop_tags=[TagHash("00" * 32)],
    ),
    "open": m.Open(command="c-1", nonce="n-1", by="host"),
    "capture": m.Capture(command="c-2", nonce="n-1", until=AT + timedelta(seconds=60)),
    "set_mode": m.SetMode(command="c-3", nonce="n-1", mode=DoorMode.LOCKED_DOWN),
    "keys": m.ServerKeys(
        number=1_769_835_600, signing={"k1": bytes(range(32)), "k2": bytes(range(32, 64))}, sealing_id="s1", sealing=bytes(32),
    ),
    "event_booted": _event(m.Booted(version="0.1.0", continues="j-0")),
    "event_clock_synced": _event(m.ClockSynced()),
    "event_tapped": _event(
        m.Tapped(
            access_point=IN, tag=TAG, granted=True, cause="grant:1", decided_by="server", own_granted=False,
            own_reason="tag_unknown", server_granted=True, snapshot_number=3, known=12, contact_open=False,
        )
    ),
    "event_refused_again": _event(
        m.RefusedAgain(
            tap=7, access_point=IN, tag=TAG, reason="outside_hours", times=12, first_at=AT, last_at=AT + timedelta(seconds=90)
        ),
        sequence=8,
    ),
    "event_passed": _event(m.Passed(tap=7, outcome=Outcome.ENTERED), sequence=8),
    "event_opened": _event(m.Opened(forced=True)),
    "event_closed": _event(m.Closed()),
    "event_pre_alarm": _event(m.PreAlarm()),
    "event_held_open": _event(m.HeldOpen()),
    "event_exit_requested": _event(m.ExitRequested()),
    "event_disarm_requested": _event(m.DisarmRequested(access_point=IN, tag=TAG)),
    "event_command_done": _event(m.CommandDone(command="c-1", did="open", refusal="nonce_stale")),
    "event_mode_changed": _event(m.ModeChanged(mode=DoorMode.BLOCKED)),
    "event_unlocking_changed": _event(m.UnlockingChanged(unlocked=True, because="first_in")),
    "event_attention": _event(m.Attention(about="journal_slow", raised=True, detail="5.0 s")),
    "snapshot": Snapshot(
        door=DOOR, number=3, made_at=AT, expires_at=AT + timedelta(days=14), rules=DoorRules(),
        window_sets={"w1": (Window(AT, AT + timedelta(hours=10)),)},
        tags={TAG: TagRights(rights=(Right(cause="grant:1", windows="w1", access_points=(IN,)),))},
    ),
}  # fmt: skip


def stored(name: str) -> bytes:
    """Return the bytes of the first version's example."""
    return (FOLDER / f"{name}.json").read_bytes()
