# SPDX-License-Identifier: AGPL-3.0-or-later
"""The one thread of a process that writes what doors sent: whatever is queued goes into one transaction.

Where several such processes share a database they take turns: a tap that one takes in and its outcome at another, or a
command that both find waiting, could not see each other otherwise.
Work's `done` runs after its transaction is committed, never before. A locked database is tried again, a few times; any
other fault ends the thread and is kept in `fault`, so that the process can end and be started again.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from booking_server.db import Database, one_at_a_time

BATCH_MAX = 200
TRIES = 5

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work(Generic[Result]):
    """`write` runs inside the transaction, and again if it is tried again; `done` gets its result after the commit."""

    write: Callable[[Connection], Result]
    done: Callable[[Result], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared(Generic[Item, Result]):
    """Work that is done better together: neighbours of the same `write_all` are written by one call, one result for each."""

    item: Item
    write_all: Callable[[Connection, Sequence[Item]], list[Result]]
    done: Callable[[Result], None]


Taken = Work[Any] | Shared[Any, Any]


class Writer:
    """Takes work from any thread and carries it out in order. `stop()` finishes what was taken."""

    def __init__(self, database: Database, *, room: int = 10_000) -> None:
        self.fault: BaseException | None = None
        self._database = database
        self._waiting: queue.Queue[Taken | None] = queue.Queue(room)
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, work: Taken) -> bool:
        """Take the work on; False if there is no room: the door sends its events again, as nothing was acknowledged."""
        try:
            self._waiting.put_nowait(work)
        except queue.Full:
            return False
        return True

    def stop(self, *, limit_seconds: float = 10) -> None:
        """Finish what was taken, then end. One that ended by its own fault, or cannot finish in time, is left."""
        with suppress(queue.Full):
            self._waiting.put(None, timeout=limit_seconds if self.alive else 0)
        self._thread.join(limit_seconds)

    @property
    def waiting(self) -> int:
        """Return how many pieces of work wait."""
        return self._waiting.qsize()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._carry_out(self._batch())
        except BaseException as error:
            self.fault = error

    def _batch(self) -> list[Taken]:
        batch: list[Taken] = []
        work = self._waiting.get()
        while work is not None:
            batch.append(work)
            if len(batch) == BATCH_MAX or self._waiting.empty():
                return batch
            work = self._waiting.get()
        self._stopping = True
        return batch

    def _carry_out(self, batch: list[Taken]) -> None:
        for work, result in zip(batch, self._committed(batch), strict=True):
            work.done(result)

    def _committed(self, batch: list[Taken]) -> list[object]:
        for attempt in range(1, TRIES + 1):
            try:
                with self._database.write() as tx:
                    one_at_a_time(tx, "writer")
                    return [result for group in _groups(batch) for result in _written(tx, group)]
            except OperationalError:
                if attempt == TRIES:
                    raise
        raise AssertionError("the last try returns or raises")


def _groups(batch: Sequence[Taken]) -> Iterator[list[Taken]]:
    for _, group in groupby(batch, key=lambda work: work.write_all if isinstance(work, Shared) else None):
        yield list(group)


def _written(tx: Connection, group: Sequence[Taken]) -> list[Any]:
    first = group[0]
    if isinstance(first, Shared):
        return first.write_all(tx, [work.item for work in group if isinstance(work, Shared)])
    return [work.write(tx) for work in group if isinstance(work, Work)]
