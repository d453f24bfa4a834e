# SPDX-License-Identifier: AGPL-3.0-or-later
"""Makes the mail of a message: headers that no name or address can add a line to, plain text in UTF-8, perhaps a PDF."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from booking_server.messages.rendering import Text
from booking_server.messages.troubles import Trouble, TroubleKind


@dataclass(frozen=True, slots=True)
class Attached:
    """A PDF that goes along."""

    name: str
    pdf: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """From whom, to whom, and what mail programs want to know. `unsubscribe` is where the reader chooses what they get."""

    sender: str
    hub: str
    name: str
    address: str
    language: str
    key: str
    at: datetime
    unsubscribe: str | None


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail, ready to leave: its envelope's two addresses, and its exact bytes."""

    sender: str
    address: str
    message_id: str
    content: bytes


def composed(envelope: Envelope, text: Text, attached: Sequence[Attached] = ()) -> Mail:
    """Return the mail. Raise Trouble for an address that mail cannot be sent to."""
    sender, to = _sender(envelope), _address(envelope.name, envelope.address)
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = to
    mail["Subject"] = _line(text.subject)
    mail["Date"] = format_datetime(envelope.at)
    mail["Message-ID"] = message_id(envelope.key, sender.domain)
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    if envelope.unsubscribe is not None:
        mail["List-Unsubscribe"] = f"<{envelope.unsubscribe}>"
    mail.set_content(text.body, charset="utf-8", cte="quoted-printable")
    mail["Content-Language"] = envelope.language
    for one in attached:
        mail.add_attachment(one.pdf, maintype="application", subtype="pdf", filename=one.name)
    return Mail(sender.addr_spec, to.addr_spec, str(mail["Message-ID"]), mail.as_bytes())


def message_id(key: str, domain: str) -> str:
    """Return the id of the message with this key: the same at every attempt, so that a second copy is known as one."""
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:32]}@{domain}>"


def _sender(envelope: Envelope) -> Address:
    name, address = parseaddr(envelope.sender)
    return _address(name or envelope.hub, address)


def _address(name: str, address: str) -> Address:
    """Words of other alphabets may stand in the domain, which has a spelling in ours, and not before it."""
    local, _, domain = _line(address).rpartition("@")
    try:
        return Address(
            display_name=_line(name), addr_spec=f"{local}@{domain.encode('idna').decode('ascii')}".encode("ascii").decode()
        )
    except (ValueError, MessageError, IndexError):
        raise Trouble(TroubleKind.BAD_ADDRESS) from None


def _line(text: str) -> str:
    """One line, whatever was typed."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
