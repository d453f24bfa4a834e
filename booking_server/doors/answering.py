# SPDX-License-Identifier: AGPL-3.0-or-later
"""Answers a door's ask from memory alone: it reads no database, waits for no writer, and stores nothing."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from access_contract.decide import Decision, decide
from access_contract.messages import Answer, Ask
from access_contract.sealing import Unsealable, unseal_number
from access_contract.snapshot import LiveFacts
from access_contract.vocabulary import DoorId, Moment, Reason, TagNumber, tag_hash
from booking_server.access.door_rights import DoorRights


def answer(
    ask: Ask,
    *,
    index: DoorRights,
    tag_key: bytes,
    openers: Sequence[X25519PrivateKey],
    moment: Moment,
    live: LiveFacts,
    known: int,
) -> Answer:
    """Return the server's decision on one ask of the door that `index` and `tag_key` belong to.

    `moment` is the server's own; a number that cannot be unsealed is refused as unreadable.
    """
    decision = _decision(ask, index, tag_key, openers, moment, live)
    return Answer(
        ask=ask.ask,
        granted=decision.granted,
        reason=decision.reason,
        cause=decision.cause,
        passes_lock_down=decision.passes_lock_down,
        may_disarm=decision.may_disarm,
        starts_unlocking=decision.starts_unlocking,
        extended=decision.extended,
        known=known,
    )


def _decision(
    ask: Ask, index: DoorRights, tag_key: bytes, openers: Sequence[X25519PrivateKey], moment: Moment, live: LiveFacts
) -> Decision:
    try:
        number = unsealed(ask.sealed, door=index.door, about=f"ask:{ask.ask}", openers=openers)
    except Unsealable:
        return Decision(reason=Reason.TAG_UNREADABLE)
    return decide(index, live, tag_hash(tag_key, number), moment)


def unsealed(sealed: bytes, *, door: DoorId, about: str, openers: Sequence[X25519PrivateKey]) -> TagNumber:
    """Return the number that a door sealed to any of the server's keys: in a rotation there are two. Raise Unsealable."""
    for opener in openers[:-1]:
        with suppress(Unsealable):
            return unseal_number(sealed, door=door, about=about, server_key=opener)
    return unseal_number(sealed, door=door, about=about, server_key=openers[-1])
