# SPDX-License-Identifier: AGPL-3.0-or-later
"""Carries out the wishes to put stolen and replaced boxes out, on a thread of its own: no door waits for it.

A wish is taken by one process, and taken again if that one died. What came of it is stored, whatever it was.
"""

from __future__ import annotations

import threading

import structlog

from access_contract.messages import Status
from booking_server.broker.ending import Line
from booking_server.broker.pki import has_authority
from booking_server.broker.putting_out import put_out
from booking_server.clock import Clock
from booking_server.config import BadConfiguration, Config
from booking_server.db import Database
from booking_server.doors import boxes
from booking_server.doors import service as doors
from booking_server.doors.boxes import Revocation

FAILED = "failed"
"""Beside what a Line may become: the files of authority or broker could not be read or written."""

_log = structlog.get_logger()


class Evictor:
    """One thread calls `look`, and never waits. A bug ends up in `fault`."""

    def __init__(self, config: Config, database: Database, clock: Clock) -> None:
        self.fault: BaseException | None = None
        self._config, self._database, self._clock = config, database, clock
        self._thread = threading.Thread()

    def look(self) -> None:
        """Begin to carry out what waits. A process without the hub's authority leaves it to one that has it."""
        if self._thread.is_alive() or not has_authority(self._config.folder):
            return
        with self._database.read() as tx:
            waiting = boxes.waiting(tx, now=self._clock.now())
        if waiting:
            self._thread = threading.Thread(target=self._run, args=(waiting,), name="evictor", daemon=True)
            self._thread.start()

    def _run(self, waiting: list[Revocation]) -> None:
        try:
            for wish in waiting:
                with self._database.write() as tx:
                    mine = boxes.take(tx, now=self._clock.now(), revocation_id=wish.id)
                if mine:
                    carry_out(self._config, self._database, self._clock, wish)
        except BaseException as error:
            self.fault = error


def carry_out(config: Config, database: Database, clock: Clock, wish: Revocation) -> str:
    """Put the box out and store what came of it; return that.

    Every certificate of a door that is still without a box is revoked: the stolen one may have had its own renewed meanwhile.
    """
    with database.read() as tx:
        still_stolen = doors.door(tx, wish.door_id).stolen_at is not None
    try:
        serials = None if still_stolen else wish.serials
        became = put_out(config, wish.door_id, now=clock.now(), serials=serials).value
    except (OSError, BadConfiguration) as error:
        _log.error("box_not_put_out", door=wish.door_id, exc_info=error)
        became = FAILED
    with database.write() as tx:
        boxes.done(tx, now=clock.now(), revocation_id=wish.id, became=became)
        if became == Line.ENDED.value:
            doors.keep_status(tx, now=clock.now(), door_id=wish.door_id, status=Status(online=False))
    if became in (Line.ENDED.value, Line.NO_BROKER.value):
        _log.info("box_put_out", door=wish.door_id, why=wish.why, line=became)
    return became
