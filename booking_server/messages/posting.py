# SPDX-License-Identifier: AGPL-3.0-or-later
"""Empties the outbox: one message after the other over one line, each settled before the next is taken.

A fault of one message, even of its own making, gives up that message and never holds up another. Where no message would get
past, none is tried: all wait, with the reason, and the line is tried again after a growing pause.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from booking_server.actors import SYSTEM
from booking_server.clock import Clock
from booking_server.config import Config
from booking_server.db import Database
from booking_server.invoices.pdf import pdf_of
from booking_server.invoices.wording import LANGUAGES as INVOICE_LANGUAGES
from booking_server.messages import addressing, outbox
from booking_server.messages.addressing import Reader
from booking_server.messages.carrying import Line, open_line
from booking_server.messages.composing import Attached, Envelope, Mail, composed
from booking_server.messages.measuring import REFUSED, SENT
from booking_server.messages.outbox import Claimed
from booking_server.messages.rendering import Hub, rendered
from booking_server.messages.rules import CHOSEN, Kind
from booking_server.messages.troubles import Trouble, TroubleKind

RESTS = (timedelta(seconds=10), timedelta(seconds=30), timedelta(minutes=1), timedelta(minutes=5))
"""How long nothing is tried after the line failed; the last holds for all after it."""

_log = structlog.get_logger()


class Post:
    """What a process that sends mail does. `stopping` says when to leave the rest for later."""

    def __init__(self, config: Config, database: Database, clock: Clock, stopping: Callable[[], bool]) -> None:
        self._config, self._database, self._clock, self._stopping = config, database, clock, stopping
        self._failures, self._rest_until = 0, clock.now()

    def look(self) -> None:
        """Send all that is due; give up what is too old."""
        now = self._clock.now()
        with self._database.read() as tx:
            due, late = outbox.any_due(tx, now), outbox.any_late(tx, now)
        if late:
            with self._database.write() as tx:
                _log.warning("given_up", messages=outbox.give_up(tx, now=now), trouble="not_in_time")
        if due and not self._rests(now):
            self._empty()

    def _rests(self, now: datetime) -> bool:
        """A clock that was set back must not make a rest longer."""
        return now < self._rest_until <= now + RESTS[-1]

    def _empty(self) -> None:
        try:
            line = open_line(self._config)
        except Trouble as trouble:
            self._all_wait(trouble)
            return
        try:
            while not self._stopping() and (one := self._claimed()) is not None:
                self._carry(line, one)
            self._failures = 0
        except Trouble as trouble:
            self._all_wait(trouble)
        finally:
            line.close()

    def _claimed(self) -> Claimed | None:
        with self._database.write() as tx:
            return outbox.claim(tx, now=self._clock.now())

    def _carry(self, line: Line, one: Claimed) -> None:
        """Send one message and settle it. Raise Trouble where the next would fare no better."""
        try:
            mail = self._made(one)
            if mail is not None:
                line.send(mail)
        except Trouble as trouble:
            self._not_sent(one, trouble)
            if trouble.for_all:
                raise
            return
        now = self._clock.now()
        with self._database.write() as tx:
            mine = outbox.unwanted(tx, one, now=now) if mail is None else outbox.sent(tx, one, now=now)
        if mail is not None:
            SENT.inc()
        _log.info("sent" if mail else "unwanted", message=one.id, kind=one.kind.value, attempt=one.attempts, mine=mine)

    def _not_sent(self, one: Claimed, trouble: Trouble) -> None:
        REFUSED.inc()
        with self._database.write() as tx:
            outbox.not_sent(tx, one, trouble, now=self._clock.now())
        _log.warning(
            "not_sent", message=one.id, kind=one.kind.value, attempt=one.attempts, trouble=trouble.kind.value, code=trouble.code
        )

    def _all_wait(self, trouble: Trouble) -> None:
        now = self._clock.now()
        self._rest_until = now + RESTS[min(self._failures, len(RESTS) - 1)]
        self._failures += 1
        REFUSED.inc()
        with self._database.write() as tx:
            outbox.cannot_send(tx, trouble, now=now)
        _log.warning("cannot_send", trouble=trouble.kind.value, code=trouble.code, failures=self._failures)

    def _made(self, one: Claimed) -> Mail | None:
        """Return the mail of a message; None for one that its reader does without. Raise Trouble."""
        with self._database.read() as tx:
            who = addressing.reader(tx, one.to, language=self._config.language)
            wanted = addressing.wants(tx, who, one.kind)
        if not wanted:
            return None
        try:
            return composed_for(self._config, self._clock.now(), one, who, self._attached(one, who))
        except (SQLAlchemyError, Trouble):
            raise
        except Exception as error:
            _log.exception("cannot_be_made", message=one.id, kind=one.kind.value)
            raise Trouble(TroubleKind.FAULT) from error

    def _attached(self, one: Claimed, who: Reader) -> list[Attached]:
        if one.kind is not Kind.INVOICE_ISSUED:
            return []
        language = who.language if who.language in INVOICE_LANGUAGES else self._config.language
        number = int(str(one.facts["invoice_id"]))
        pdf = pdf_of(self._database, SYSTEM, invoice_id=number, language=language)
        return [Attached(f"{one.facts['number']}.pdf", pdf)]


def composed_for(config: Config, now: datetime, one: Claimed, who: Reader, attached: list[Attached] | None = None) -> Mail:
    """Return the mail that tells `who` of a message. Raise Trouble for an address that cannot be; a missing fact raises."""
    hub = Hub(name=config.name, origin=config.web.origin, zone=config.time_zone)
    text = rendered(hub, one.kind, who.language, name=who.name, facts=one.facts)
    envelope = Envelope(
        sender=config.mail.sender or "hubkey@localhost.localdomain",
        hub=config.name,
        name=who.name,
        address=who.address,
        language=who.language,
        key=one.key,
        at=now,
        unsubscribe=f"{config.web.origin}/me/messages" if one.kind in CHOSEN else None,
    )
    return composed(envelope, text, attached or [])
