# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is each message in the outbox sent by one process once, put off, or given up, and never lost on the way?"""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from booking_server.actors import Actor, NotAllowed, Role
from booking_server.db import Database
from booking_server.errors import Invalid, NotFound
from booking_server.messages import outbox, service, showing
from booking_server.messages.outbox import CLAIM, Claimed
from booking_server.messages.rules import GIVE_UP_AFTER, LINK_GIVE_UP_AFTER, PAUSES, Kind, Recipient
from booking_server.messages.tables import messages
from booking_server.messages.troubles import Trouble, TroubleKind
from tests.booking_server.hub import HOST, NOW

LATER = Trouble(TroubleKind.LATER, "451 4.7.1 try later")
REFUSED = Trouble(TroubleKind.ADDRESS_REFUSED, "550 5.1.1 no such user")


def put(database: Database, *keys: str, kind: Kind = Kind.TAG_LOST, at: datetime = NOW) -> None:
    facts: dict[str, Any] = {"last_digits": "1d80", "at": at}
    if kind is Kind.SIGN_IN_LINK:
        facts = {"link": "https://hub.example.org/secret", "minutes": 15}
    with database.write() as tx:
        for key in keys:
            service.put(tx, now=at, kind=kind, to=Recipient(address="aino@example.org"), key=key, **facts)


def claim(database: Database, at: datetime = NOW) -> Claimed | None:
    with database.write() as tx:
        return outbox.claim(tx, now=at)


def claimed(database: Database, at: datetime = NOW) -> Claimed:
    one = claim(database, at)
    assert one is not None
    return one


def row(database: Database, key: str = "one") -> Any:
    with database.read() as tx:
        return tx.execute(select(messages).where(messages.c.key == key)).one()


def not_sent(database: Database, trouble: Trouble, at: datetime = NOW) -> None:
    one = claimed(database, at)
    with database.write() as tx:
        assert outbox.not_sent(tx, one, trouble, now=at)


def test_a_cause_is_told_of_once(database: Database) -> None:
    """The same key again does nothing, in the same transaction or a later one."""
    put(database, "one", "one")
    put(database, "one", at=NOW + timedelta(days=1))
    claimed(database)
    assert claim(database) is None


def test_what_did_not_happen_is_not_told(database: Database) -> None:
    """A transaction that is undone leaves no message behind."""
    with suppress(ZeroDivisionError), database.write() as tx:
        service.put(tx, now=NOW, kind=Kind.TEST, to=Recipient(address="a@example.org"), key="one")
        raise ZeroDivisionError
    assert claim(database) is None


def test_a_caller_that_tells_too_little_or_too_much_is_a_bug(database: Database) -> None:
    """Exactly the facts of a kind, to exactly one recipient."""
    with database.write() as tx:
        with pytest.raises(TypeError, match="last_digits"):
            service.put(tx, now=NOW, kind=Kind.TAG_LOST, to=Recipient(person_id=1), key="one", at=NOW)
        with pytest.raises(TypeError, match="exactly one"):
            Recipient(person_id=1, address="a@example.org")


def test_a_message_is_in_one_pair_of_hands(database: Database) -> None:
    """Taken by one, nobody else gets it; after its claim ran out somebody does, and the first can settle it no more."""
    put(database, "one")
    first = claimed(database)
    assert claim(database, NOW + CLAIM - timedelta(seconds=1)) is None
    second = claimed(database, NOW + CLAIM)
    with database.write() as tx:
        assert not outbox.sent(tx, first, now=NOW + CLAIM)
        assert outbox.sent(tx, second, now=NOW + CLAIM)
    assert (row(database).state, row(database).attempts) == ("sent", 2)


def test_many_at_once_take_each_message_once(database: Database, database_url: str) -> None:
    """Three take sixty side by side: every one is taken, none twice."""
    put(database, *(str(number) for number in range(60)))
    taken: list[int] = []

    def take() -> None:
        own = Database(database_url)
        while (one := claim(own)) is not None:
            taken.append(one.id)
        own.close()

    threads = [threading.Thread(target=take) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 60


def test_what_is_put_off_waits_longer_each_time(database: Database) -> None:
    """After each attempt the next pause, the last for ever; why, since when and how often is kept."""
    put(database, "one")
    at = NOW
    for pause in (*PAUSES, PAUSES[-1]):
        not_sent(database, LATER, at)
        assert (row(database).state, row(database).try_at) == ("waiting", at + pause)
        assert claim(database, at + pause - timedelta(seconds=1)) is None
        at += pause
    found = row(database)
    assert (found.attempts, found.trouble, found.trouble_said) == (7, "later", "451 4.7.1 try later")
    assert found.trouble_since == NOW


def test_what_is_refused_for_good_is_given_up_until_staff_send_it_again(database: Database) -> None:
    """It waits for nothing, staff see it, and by their word it is tried anew for its whole time."""
    put(database, "one")
    not_sent(database, REFUSED)
    assert (row(database).state, claim(database, NOW + timedelta(days=2))) == ("given_up", None)
    with database.write() as tx:
        [shown] = showing.outbox(tx, HOST)
        assert (shown.state, shown.to, shown.can_be_sent_again) == ("given_up", "aino@example.org", True)
        later = NOW + timedelta(days=9)
        showing.send_again(tx, HOST, now=later, message_id=shown.id)
        with pytest.raises(NotFound):
            showing.send_again(tx, HOST, now=later, message_id=shown.id)
    assert claimed(database, later).facts["last_digits"] == "1d80"


def test_what_is_too_old_is_given_up_with_its_last_reason(database: Database) -> None:
    """After three days of waiting; what is in somebody's hands just then is left to them."""
    put(database, "untried", "put off", "in hand")
    at = NOW + GIVE_UP_AFTER
    with database.write() as tx:
        for one in (outbox.claim(tx, now=NOW), outbox.claim(tx, now=NOW)):
            assert one is not None
            if one.key == "put off":
                outbox.not_sent(tx, one, LATER, now=NOW)
        tx.execute(messages.update().where(messages.c.key != "put off").values(state="waiting", try_at=NOW, claim=None))
        tx.execute(messages.update().where(messages.c.key == "in hand").values(state="sending", try_at=at + CLAIM))
        assert outbox.any_late(tx, at)
        assert not outbox.any_late(tx, at - timedelta(seconds=1))
        assert outbox.give_up(tx, now=at) == 2
    assert [row(database, key).trouble for key in ("untried", "put off")] == ["not_in_time", "later"]
    assert row(database, "in hand").state == "sending"


@pytest.mark.parametrize("how", ["sent", "refused", "late"])
def test_a_link_to_sign_in_is_forgotten_at_once(database: Database, how: str) -> None:
    """Sent, refused, or fifteen minutes old: the database holds it no longer, and nobody sends it again."""
    put(database, "one", kind=Kind.SIGN_IN_LINK)
    if how == "late":
        with database.write() as tx:
            assert outbox.give_up(tx, now=NOW + LINK_GIVE_UP_AFTER) == 1
    else:
        one = claimed(database)
        with database.write() as tx:
            assert outbox.sent(tx, one, now=NOW) if how == "sent" else outbox.not_sent(tx, one, REFUSED, now=NOW)
    assert row(database).facts is None
    if how != "sent":
        with pytest.raises(Invalid, match="no longer kept"), database.write() as tx:
            showing.send_again(tx, HOST, now=NOW, message_id=row(database).id)


def test_when_nothing_leaves_all_that_waits_says_why(database: Database) -> None:
    """It counts as no attempt of theirs, and after an hour staff are told that they wait."""
    put(database, "one", "two")
    with database.write() as tx:
        outbox.cannot_send(tx, Trouble(TroubleKind.CERTIFICATE, server="mail.test"), now=NOW)
        assert showing.attention(tx, NOW + timedelta(minutes=59)) == showing.Attention(waiting=0, given_up=0)
        assert showing.attention(tx, NOW + timedelta(hours=1)) == showing.Attention(waiting=2, given_up=0)
    assert (row(database).trouble, row(database).attempts, row(database).state) == ("certificate", 0, "waiting")


def test_what_a_sent_message_said_goes_after_thirty_days(database: Database) -> None:
    """And the bare address; that there was one stays, so that it is not put again. What still waits keeps all."""
    put(database, "one", "two")
    one = claimed(database)
    with database.write() as tx:
        outbox.sent(tx, one, now=NOW)
        assert outbox.forget_sent(tx, now=NOW + timedelta(days=30)) == 0
        assert outbox.forget_sent(tx, now=NOW + timedelta(days=31)) == 1
    assert [(found.facts, found.address) for found in [row(database, one.key)]] == [(None, None)]
    put(database, one.key, at=NOW + timedelta(days=40))
    assert row(database, one.key).state == "sent"
    assert claimed(database, NOW + timedelta(days=40)).facts["last_digits"] == "1d80"


def test_staff_may_leave_what_was_given_up(database: Database) -> None:
    """One, or all: it needs nobody any more, and is never sent."""
    put(database, "one", "two", "three")
    for _ in range(3):
        not_sent(database, REFUSED)
    with database.write() as tx:
        assert showing.let_be(tx, HOST, now=NOW, message_id=row(database).id) == 1
        assert showing.let_be(tx, HOST, now=NOW) == 2
        assert showing.attention(tx, NOW).given_up == 0
    assert claim(database, NOW + timedelta(days=1)) is None


@pytest.mark.parametrize("role", [Role.BILLING, Role.CARETAKER, Role.REPORTS, Role.MEMBER])
def test_the_outbox_is_for_the_desk(database: Database, role: Role) -> None:
    """Nobody else sees it or does anything there."""
    who = Actor.of("Else", role)
    with database.write() as tx:
        with pytest.raises(NotAllowed):
            showing.outbox(tx, who)
        with pytest.raises(NotAllowed):
            showing.send_again(tx, who, now=NOW, message_id=1)
        with pytest.raises(NotAllowed):
            showing.let_be(tx, who, now=NOW)
