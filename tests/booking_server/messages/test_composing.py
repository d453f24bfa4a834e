# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is a mail what mail programs expect, whatever somebody is called?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from booking_server.messages.composing import Attached, Envelope, composed
from booking_server.messages.rendering import Text
from booking_server.messages.troubles import Trouble, TroubleKind

ENVELOPE = Envelope(
    sender="hub@example.org",
    hub="Omnia Hub",
    name="Åsa Öberg",
    address="asa@example.org",
    language="sv",
    key="booking:7:booking_made",
    at=datetime(2026, 11, 25, 12, 0, tzinfo=UTC),
    unsubscribe="https://hub.example.org/me/messages",
)
TEXT = Text("Bokat: Stora rummet", "Hej Åsa,\n\n.en rad med punkt\n")


def read(envelope: Envelope, text: Text = TEXT, *attached: Attached) -> EmailMessage:
    found = message_from_bytes(composed(envelope, text, attached).content, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def test_its_headers_say_who_what_and_that_nobody_need_answer() -> None:
    """Sender with the hub's name, reader, subject, instant, language, an automatic mark, and where to choose."""
    mail = read(ENVELOPE)
    assert (mail["From"], mail["To"]) == ("Omnia Hub <hub@example.org>", "Åsa Öberg <asa@example.org>")
    assert (mail["Subject"], mail["Date"]) == ("Bokat: Stora rummet", "Wed, 25 Nov 2026 12:00:00 +0000")
    assert (mail["Auto-Submitted"], mail["Content-Language"]) == ("auto-generated", "sv")
    assert mail["List-Unsubscribe"] == "<https://hub.example.org/me/messages>"
    assert mail.get_content().replace("\r\n", "\n") == TEXT.body
    assert all(ord(sign) < 128 for sign in composed(ENVELOPE, TEXT).content.decode("ascii"))


def test_what_may_not_be_chosen_away_offers_no_way_to() -> None:
    """Without an address to choose at there is no such header."""
    assert read(replace(ENVELOPE, unsubscribe=None))["List-Unsubscribe"] is None


def test_the_same_message_has_the_same_id_and_another_has_another() -> None:
    """However often it is composed, and whenever: mail programs show one."""
    later = replace(ENVELOPE, at=datetime(2026, 11, 26, tzinfo=UTC), name="")
    assert composed(ENVELOPE, TEXT).message_id == composed(later, TEXT).message_id
    assert composed(ENVELOPE, TEXT).message_id != composed(replace(ENVELOPE, key="booking:8:booking_made"), TEXT).message_id


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r", "\N{LINE SEPARATOR}", "\x0b", "\0"])
def test_no_name_adds_a_header_or_a_reader(line_end: str) -> None:
    """A line end in a name, a hub's name or a subject stays within its header."""
    evil = f"Aino{line_end}Bcc: all@example.org{line_end}{line_end}Buy this"
    mail = read(replace(ENVELOPE, name=evil, hub=evil), Text(evil, "Hello\n"))
    assert mail["Bcc"] is None
    assert [address.addr_spec for address in mail["To"].addresses] == ["asa@example.org"]
    assert mail.get_content().strip() == "Hello"


@pytest.mark.parametrize(
    "address",
    ["a@b@c.org", "<x>@c.org", "a\r\nRCPT TO:<b@c.org>@d.org", "åsa@example.org", "no address", "@c.org", "a@", "a b@c.org"],
)
def test_an_address_that_cannot_be_is_never_sent_to(address: str) -> None:
    """It is refused as such, and never taken for another."""
    with pytest.raises(Trouble) as refused:
        composed(replace(ENVELOPE, address=address), TEXT)
    assert refused.value.kind is TroubleKind.BAD_ADDRESS


def test_a_domain_of_other_letters_is_spelled_in_ours() -> None:
    """aino@exämple.org is sent to by the name that the net knows it by."""
    assert composed(replace(ENVELOPE, address="aino@exämple.org"), TEXT).address == "aino@xn--exmple-cua.org"


def test_a_sender_with_a_name_keeps_it() -> None:
    """The settings may name the sender themselves."""
    assert read(replace(ENVELOPE, sender="Omnian avain <hub@example.org>"))["From"] == "Omnian avain <hub@example.org>"


def test_a_pdf_goes_along_byte_for_byte() -> None:
    """Beside the text, with its name."""
    mail = read(ENVELOPE, TEXT, Attached("1001.pdf", bytes(range(256))))
    [part] = mail.iter_attachments()
    assert (part.get_filename(), part.get_content_type(), part.get_content()) == (
        "1001.pdf",
        "application/pdf",
        bytes(range(256)),
    )
    body = mail.get_body()
    assert body is not None
    assert body["Content-Language"] == "sv"
