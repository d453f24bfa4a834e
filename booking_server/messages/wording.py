# SPDX-License-Identifier: AGPL-3.0-or-later
"""What staff and members read about messages: their kinds, how they stand, and what stood in the way."""

from __future__ import annotations

from flask_babel import lazy_gettext

from booking_server.messages.rules import Kind
from booking_server.messages.troubles import TroubleKind

KINDS = {
    Kind.DENIED_TAP: lazy_gettext("A door did not open"),
    Kind.TAG_LOST: lazy_gettext("A keytag was blocked"),
    Kind.BOOKING_MADE: lazy_gettext("Booking made"),
    Kind.BOOKING_CANCELLED: lazy_gettext("Booking cancelled"),
    Kind.INVOICE_ISSUED: lazy_gettext("Invoice"),
    Kind.NEW_SIGN_IN: lazy_gettext("New sign-in"),
    Kind.SIGN_IN_LINK: lazy_gettext("Link to sign in"),
    Kind.RECOVERY_USED: lazy_gettext("Recovery code used"),
    Kind.SIGN_IN_CHANGED: lazy_gettext("Another way to sign in"),
    Kind.IMPORT_REPORT: lazy_gettext("Report of an import"),
    Kind.TEST: lazy_gettext("Test message"),
}

CHOICES = {
    Kind.DENIED_TAP: lazy_gettext("A door did not open for my keytag, and why"),
    Kind.TAG_LOST: lazy_gettext("My keytag was blocked"),
    Kind.BOOKING_MADE: lazy_gettext("A space was booked for me"),
    Kind.BOOKING_CANCELLED: lazy_gettext("My booking was cancelled"),
    Kind.INVOICE_ISSUED: lazy_gettext("An invoice came, as a PDF"),
    Kind.NEW_SIGN_IN: lazy_gettext("Somebody signed in with my account from a new device"),
}

STATES = {
    "waiting": lazy_gettext("waits"),
    "sending": lazy_gettext("is being sent"),
    "sent": lazy_gettext("sent"),
    "given_up": lazy_gettext("not sent"),
    "left": lazy_gettext("not sent, left so"),
}

TROUBLES = {
    TroubleKind.NO_WAY: lazy_gettext("No mail server is set. The administrator sets one in server.toml, at [mail]."),
    TroubleKind.AWAY: lazy_gettext("The mail server cannot be reached."),
    TroubleKind.CERTIFICATE: lazy_gettext("The mail server's certificate cannot be trusted, so nothing is sent to it."),
    TroubleKind.NO_TLS: lazy_gettext("The mail server offers no encryption on this port."),
    TroubleKind.SIGN_IN: lazy_gettext("The mail server does not accept the hub's user name and password."),
    TroubleKind.SENDER_REFUSED: lazy_gettext("The mail server does not take mail from the hub's address."),
    TroubleKind.FOLDER: lazy_gettext("The folder for mail cannot be written."),
    TroubleKind.LATER: lazy_gettext("The mail server wants it later. It is tried again by itself."),
    TroubleKind.ADDRESS_REFUSED: lazy_gettext("The address was refused. Correct it, then send again."),
    TroubleKind.CONTENT_REFUSED: lazy_gettext("The mail server refused what the message says, or its size."),
    TroubleKind.NO_ADDRESS: lazy_gettext("No e-mail address is known. Add one, then send again."),
    TroubleKind.BAD_ADDRESS: lazy_gettext("This is no address that mail can be sent to. Correct it, then send again."),
    TroubleKind.FAULT: lazy_gettext("The message could not be made: a fault of this program. The log says where."),
    TroubleKind.NOT_IN_TIME: lazy_gettext("It was not sent in its time."),
}


def message_kind(word: str) -> str:
    """Return what a message is about."""
    return str(KINDS.get(Kind(word), word)) if word in set(Kind) else word


def message_state(word: str) -> str:
    """Return how a message stands."""
    return str(STATES.get(word, word))


def message_trouble(word: str) -> str:
    """Return what stood in the way, and what to do."""
    return str(TROUBLES[TroubleKind(word)]) if word in set(TroubleKind) else word
