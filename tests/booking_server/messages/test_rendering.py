# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is every message there in every language, and does it say all it is told?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from jinja2 import UndefinedError

from access_contract.vocabulary import Reason
from booking_server.messages.rendering import FOLDER, LANGUAGES, Hub, Text, rendered
from booking_server.messages.rules import CHOSEN, FACTS, Fact, Kind, stored

AT = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
HUB = Hub(name="Omnia Hub", origin="https://hub.example.org", zone="Europe/Helsinki")
TOLD: dict[str, Fact] = {
    "door": "Lobby",
    "at": AT,
    "zone": "Europe/Helsinki",
    "reason": "outside_hours",
    "next_at": AT + timedelta(days=1),
    "last_digits": "1d80",
    "space": "Big room",
    "start_at": AT,
    "end_at": AT + timedelta(hours=2),
    "purpose": "Talk",
    "by_staff": True,
    "number": 1001,
    "month": "2026-10",
    "gross_cents": 12345,
    "due_on": date(2026, 12, 9),
    "invoice_id": 7,
    "device": "Firefox on Linux",
    "address": "192.0.2.7",
    "link": "https://hub.example.org/link/abc",
    "minutes": 15,
    "codes_left": 3,
    "change": "passkey_added",
    "which": "Blue phone",
    "file": "roster.csv",
    "added": 21,
    "changed": 22,
    "ended": 23,
    "refused": 24,
    "stopped": "too_many",
    "where": "https://hub.example.org/imports/7",
}


def said(kind: Kind, language: str, **facts: Fact) -> Text:
    return rendered(HUB, kind, language, name="Aino Virtanen", facts=stored({**{n: TOLD[n] for n in FACTS[kind]}, **facts}))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", Kind)
def test_every_kind_is_said_in_every_language(kind: Kind, language: str) -> None:
    """A subject of one short line; a body with greeting, hub and address; where to choose, for what may be chosen only."""
    text = said(kind, language)
    assert 1 <= len(text.subject) <= 90
    assert "Aino Virtanen" in text.body.splitlines()[0]
    assert "Omnia Hub\nhttps://hub.example.org\n" in text.body
    assert ("https://hub.example.org/me/messages" in text.body) is (kind in CHOSEN)
    assert "\n\n\n" not in text.body
    assert "{" not in text.subject + text.body


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", Kind)
def test_a_fact_that_is_missing_is_never_passed_over(kind: Kind, language: str) -> None:
    """Every fact of a kind is used: without it, nothing is said at all."""
    for name in FACTS[kind] - {"invoice_id"}:
        facts = stored({one: TOLD[one] for one in FACTS[kind] if one != name})
        with pytest.raises((UndefinedError, TypeError)):
            rendered(HUB, kind, language, name="", facts=facts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_of_a_refusal_has_its_own_words(language: str) -> None:
    """Each reason of the contract is told apart; one of a later version is still a message."""
    bodies = {said(Kind.DENIED_TAP, language, reason=reason.value).body for reason in Reason}
    assert len(bodies | {said(Kind.DENIED_TAP, language, reason="of a later version").body}) == len(Reason) + 1


def test_instants_days_and_amounts_are_said_as_the_language_does() -> None:
    """By the clock of the site: the day once where start and end share it, twice where they do not."""
    assert said(Kind.BOOKING_MADE, "fi").subject == "Varattu: Big room, ke 25.11.2026 klo 14.00–16.00"
    assert said(Kind.BOOKING_MADE, "sv").subject == "Bokat: Big room, ons 25.11.2026 kl. 14.00–16.00"
    over_night = said(Kind.BOOKING_MADE, "en", end_at=AT + timedelta(hours=12), zone="Europe/London")
    assert over_night.subject == "Booked: Big room, Wed 25 Nov 2026, 12:00 – Thu 26 Nov 2026, 00:00"
    assert said(Kind.INVOICE_ISSUED, "fi").subject == "Lasku 1001: 123,45 €, eräpäivä 9.12.2026"
    assert "oktober 2026" in said(Kind.INVOICE_ISSUED, "sv").body


def test_what_is_not_known_leaves_no_hole() -> None:
    """No next opening and no purpose: the sentences about them are gone."""
    assert "The next time" in said(Kind.DENIED_TAP, "en").body
    assert "The next time" not in said(Kind.DENIED_TAP, "en", next_at=None).body
    assert "None" not in said(Kind.DENIED_TAP, "en", next_at=None).body
    assert "Talk" not in said(Kind.BOOKING_MADE, "en", purpose="").body


def test_no_template_is_for_nothing() -> None:
    """Each text file belongs to a kind, or is the layout of a language."""
    names = {f"{kind}.{language}.txt" for kind in [*Kind, "layout"] for language in LANGUAGES}
    assert {file.name for file in FOLDER.glob("*.txt")} == names
