# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does mail leave with these settings? Found out by a real sign-in and a real mail, before they are kept."""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path

import msgspec

from booking_server.config import Config, Mail
from booking_server.errors import Invalid
from booking_server.messages.carrying import open_line
from booking_server.messages.composing import Envelope, composed
from booking_server.messages.composing import Mail as Composed
from booking_server.messages.rendering import Text
from booking_server.messages.troubles import Trouble

_SUBJECT = "{hub}: mail works"
_BODY = "This is the test mail of {hub} ({origin}). Mail from the hub will come like this one.\n"


def try_mail(mail: Mail, password: str, *, hub: str, origin: str, to: str | None, now: datetime) -> None:
    """Sign in as `mail` says and, if `to` names somebody, send a test mail. Raise Invalid with what stood in the way."""
    with tempfile.TemporaryDirectory() as folder:
        secret = Path(folder) / "password"
        secret.touch(mode=0o600)
        secret.write_text(password, encoding="utf-8")
        tried = msgspec.structs.replace(mail, password_file=str(secret) if password else "")
        try:
            line = open_line(Config(database="sqlite://", state_folder=folder, mail=tried))
            try:
                if to is not None:
                    line.send(_test_mail(mail.sender, hub, origin, to, now))
            finally:
                line.close()
        except Trouble as trouble:
            raise Invalid("mail", "{why}", why=str(trouble)) from None


def _test_mail(sender: str, hub: str, origin: str, to: str, now: datetime) -> Composed:
    envelope = Envelope(
        sender=sender, hub=hub, name="", address=to, language="en", key=f"test:{now.isoformat()}", at=now, unsubscribe=None
    )
    return composed(envelope, Text(_SUBJECT.format(hub=hub), _BODY.format(hub=hub, origin=origin)))
