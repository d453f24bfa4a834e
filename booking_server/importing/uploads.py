# SPDX-License-Identifier: AGPL-3.0-or-later
"""A file between being shown and being done: sealed under the vault's key, one for each account, an hour at most.

A copy of the database tells nothing of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from booking_server.actors import Actor, NotAllowed, Role
from booking_server.errors import NotFound
from booking_server.importing.tables import uploads
from booking_server.keys import Vault

KEPT = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that waits for a yes."""

    id: int
    name: str
    content: bytes


def put(tx: Connection, actor: Actor, *, now: datetime, vault: Vault, name: str, content: bytes) -> int:
    """Keep a file until its account says yes; its earlier one is dropped. Return its number. Raise NotAllowed."""
    actor.must_be_everywhere(Role.HOST)
    if actor.account_id is None:
        raise NotAllowed("a file waits for an account")
    forget(tx, now=now)
    tx.execute(delete(uploads).where(uploads.c.account_id == actor.account_id))
    row = {
        "account_id": actor.account_id,
        "name": name[-200:],
        "content": vault.seal(content, about=_about(actor)),
        "at": now,
    }
    return int(tx.execute(insert(uploads).values(row).returning(uploads.c.id)).scalar_one())


def upload(tx: Connection, actor: Actor, *, now: datetime, vault: Vault, upload_id: int) -> Upload:
    """Return a file of one's own that still waits. Raise NotFound; NotAllowed."""
    actor.must_be_everywhere(Role.HOST)
    mine = (uploads.c.id == upload_id) & (uploads.c.account_id == actor.account_id) & (uploads.c.at >= now - KEPT)
    row = tx.execute(select(uploads).where(mine)).one_or_none()
    if row is None:
        raise NotFound("The file is kept for an hour only, and is not here any more. Choose it again.")
    return Upload(id=row.id, name=row.name, content=vault.unseal(row.content, about=_about(actor)))


def drop(tx: Connection, upload_id: int) -> None:
    """Drop a file."""
    tx.execute(delete(uploads).where(uploads.c.id == upload_id))


def forget(tx: Connection, *, now: datetime) -> int:
    """Drop files that waited too long; return how many."""
    return int(tx.execute(delete(uploads).where(uploads.c.at < now - KEPT)).rowcount)


def _about(actor: Actor) -> str:
    return f"upload:{actor.account_id}"
