# SPDX-License-Identifier: AGPL-3.0-or-later
"""Do staff see what became of the mail, and does a member choose what they get?"""

from __future__ import annotations

from datetime import timedelta

import pytest

from booking_server.accounts import service as accounts
from booking_server.actors import COMMAND_LINE, Role
from booking_server.messages import choosing, outbox, service
from booking_server.messages.rules import Kind, Recipient
from booking_server.messages.troubles import Trouble, TroubleKind
from booking_server.people import service as people
from tests.booking_server.hub import PASSWORD
from tests.system.visitor import Visitor
from tests.web.browser import WIDTHS, chromium
from tests.web.browser import signed_in as browser_signed_in
from tests.web.conftest import BILLING, HOST, Served

REFUSED = Trouble(TroubleKind.ADDRESS_REFUSED, "550 5.1.1 no such user")


@pytest.fixture
def aino(served: Served) -> int:
    """A member of whom one mail was refused, one waits for two hours, and one is a link to sign in."""
    desk = served.desk
    person, now = desk.person("Aino Virtanen"), desk.clock.now()
    with desk.database.write() as tx:
        accounts.add_account(
            tx, COMMAND_LINE, now=now, sign_in_name="aino@example.org", name="Aino", role=Role.MEMBER, password=PASSWORD,
            person_id=person,
        )  # fmt: skip
        to = Recipient(person_id=person)
        service.put(tx, now=now, kind=Kind.TAG_LOST, to=to, key="refused", last_digits="1D80", at=now)
        one = outbox.claim(tx, now=now)
        assert one is not None
        outbox.not_sent(tx, one, REFUSED, now=now)
        earlier = now - timedelta(hours=2)
        service.put(tx, now=earlier, kind=Kind.TAG_LOST, to=to, key="waits", last_digits="1D81", at=earlier)
        outbox.cannot_send(tx, Trouble(TroubleKind.AWAY, "Connection refused", server="mail.test"), now=earlier)
        link = "https://hub.example.org/link/secret"
        service.put(
            tx, now=now, kind=Kind.SIGN_IN_LINK, to=Recipient(address="b@example.org"), key="link", link=link, minutes=15
        )
    return person


def test_staff_see_what_needs_them_and_send_it_again(served: Served, aino: int) -> None:
    """Today says so and leads there; reader, state and reason are shown, what is said never; by a button it waits anew."""
    visitor = served.visitor(HOST)
    visitor.see("/").must_say("Mail needs attention", "1 message has waited for more than an hour", "1 message was not sent")
    page = visitor.see("/messages")
    page.must_say("A keytag was blocked", "Aino Virtanen", "The address was refused", "550 5.1.1 no such user")
    page.must_say("The mail server cannot be reached.", "Link to sign in")
    assert "secret" not in page.words
    assert "1D80" not in page.words
    visitor.post(page, "/again")
    assert "The address was refused" not in visitor.see("/messages").words
    assert "was not sent" not in visitor.see("/").words


def test_what_was_refused_may_be_left(served: Served, aino: int) -> None:
    """Then it needs nobody any more, and the page still tells of it."""
    visitor = served.visitor(HOST)
    visitor.post(visitor.see("/messages"), "/leave")
    visitor.see("/messages").must_say("not sent, left so")
    assert "was not sent" not in visitor.see("/").words


def test_the_outbox_is_not_for_billing(served: Served, aino: int) -> None:
    """They see no notice and no page."""
    visitor = served.visitor(BILLING)
    assert "Mail needs attention" not in visitor.see("/").words
    assert "Aino" not in visitor.see("/messages", status=403).words


def test_a_member_chooses_what_they_get(served: Served, aino: int) -> None:
    """Everything is ticked at first; what they untick is kept, and their language; what is always sent is said."""
    visitor = Visitor(served.address)
    visitor.post(visitor.see("/sign-in"), "/sign-in", sign_in_name="aino@example.org", password=PASSWORD)
    page = visitor.see("/me/messages")
    page.must_say("A door did not open for my keytag, and why", "Always sent", "Links to sign in that you ask for")
    visitor.post(page, "/me/messages", kinds="invoice_issued", language="sv")
    with served.desk.database.read() as tx:
        assert Kind.DENIED_TAP in choosing.unwanted(tx, aino)
        assert Kind.INVOICE_ISSUED not in choosing.unwanted(tx, aino)
        assert people.person(tx, COMMAND_LINE, aino).language == "sv"


@pytest.mark.parametrize("size", WIDTHS)
def test_the_pages_fit(served: Served, aino: int, size: str) -> None:
    """On a phone and a laptop, without sideways scroll and without a word in the console."""
    with chromium() as browser:
        page, troubles = browser_signed_in(browser, served, size)
        page.goto(f"{served.address}/messages")
        troubles.clear()  # there is no stream here, of which Today complains
        for path in ("/messages", "/me/messages"):
            page.goto(f"{served.address}{path}")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert troubles == []
