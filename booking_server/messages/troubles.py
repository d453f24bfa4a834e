# SPDX-License-Identifier: AGPL-3.0-or-later
"""Why a message did not leave: each reason a word that is stored, a sentence for whoever runs the hub, and what follows."""

from __future__ import annotations

from enum import StrEnum

SAID_LENGTH = 300


class TroubleKind(StrEnum):
    """What stood in the way."""

    NO_WAY = "no_way"
    AWAY = "away"
    CERTIFICATE = "certificate"
    NO_TLS = "no_tls"
    SIGN_IN = "sign_in"
    SENDER_REFUSED = "sender_refused"
    FOLDER = "folder"
    LATER = "later"
    ADDRESS_REFUSED = "address_refused"
    CONTENT_REFUSED = "content_refused"
    NO_ADDRESS = "no_address"
    BAD_ADDRESS = "bad_address"
    FAULT = "fault"
    NOT_IN_TIME = "not_in_time"


FOR_ALL = frozenset(
    {
        TroubleKind.NO_WAY, TroubleKind.AWAY, TroubleKind.CERTIFICATE, TroubleKind.NO_TLS, TroubleKind.SIGN_IN,
        TroubleKind.SENDER_REFUSED, TroubleKind.FOLDER,
    }
)  # fmt: skip
"""What no message would get past: all wait, and none is blamed."""

FOR_GOOD = frozenset(
    {
        TroubleKind.ADDRESS_REFUSED, TroubleKind.CONTENT_REFUSED, TroubleKind.NO_ADDRESS, TroubleKind.BAD_ADDRESS,
        TroubleKind.FAULT, TroubleKind.NOT_IN_TIME,
    }
)  # fmt: skip
"""What trying again does not help: the message is given up until somebody sends it again."""

SENTENCES = {
    TroubleKind.NO_WAY: "settings name no mail server and no folder; set [mail] server",
    TroubleKind.AWAY: "the mail server {server} cannot be reached or broke off; check [mail] server and port, and the network",
    TroubleKind.CERTIFICATE: "the certificate of the mail server {server} cannot be trusted, so nothing was sent to it;"
    " check the name in [mail] server and this machine's clock",
    TroubleKind.NO_TLS: "the mail server {server} offers no encryption on this port; check [mail] port and security",
    TroubleKind.SIGN_IN: "the mail server {server} does not let us in; check [mail] user and password_file",
    TroubleKind.SENDER_REFUSED: "the mail server {server} does not take mail from our sender; check [mail] sender",
    TroubleKind.FOLDER: "the folder for mail cannot be written; check [mail] folder",
    TroubleKind.LATER: "the mail server {server} wants it later",
    TroubleKind.ADDRESS_REFUSED: "the address was refused for good; correct it, then send again",
    TroubleKind.CONTENT_REFUSED: "the mail server {server} refused what the message says or its size",
    TroubleKind.NO_ADDRESS: "no e-mail address is known",
    TroubleKind.BAD_ADDRESS: "the address is not one that mail can be sent to; correct it, then send again",
    TroubleKind.FAULT: "the message could not be made; this is a fault of the program, and the log says where",
    TroubleKind.NOT_IN_TIME: "it was not sent in its time",
}


class Trouble(Exception):
    """A message, or all mail, does not leave. `said` is the mail server's own answer, cut; it may name an address."""

    def __init__(self, kind: TroubleKind, said: str = "", *, server: str = "") -> None:
        sentence = SENTENCES[kind].format(server=server)
        self.kind = kind
        self.said = " ".join("".join(sign if sign.isprintable() else " " for sign in said).split())[:SAID_LENGTH]
        super().__init__(f"{sentence}: {self.said}" if self.said else sentence)

    @property
    def code(self) -> int | None:
        """The number that the mail server answered with, if it did."""
        return int(self.said[:3]) if self.said[:3].isascii() and self.said[:3].isdigit() else None

    @property
    def for_all(self) -> bool:
        return self.kind in FOR_ALL

    @property
    def for_good(self) -> bool:
        return self.kind in FOR_GOOD
