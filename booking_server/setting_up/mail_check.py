# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does mail leave with these settings? Found out by a real sign-in and a real mail, before they are kept."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec

from booking_server.clock import Clock
from booking_server.config import Config, Mail, Web
from booking_server.errors import Invalid
from booking_server.messages.carrying import open_line
from booking_server.messages.command import send_test
from booking_server.messages.troubles import Trouble


def try_mail(mail: Mail, password: str, *, hub: str, origin: str, to: str | None, clock: Clock) -> None:
    """Sign in as `mail` says and, if `to` names somebody, send a test mail. Raise Invalid with what stood in the way."""
    with tempfile.TemporaryDirectory() as folder:
        secret = Path(folder) / "password"
        secret.touch(mode=0o600)
        secret.write_text(password, encoding="utf-8")
        tried = msgspec.structs.replace(mail, password_file=str(secret) if password else "")
        config = Config(database="sqlite://", state_folder=folder, name=hub, web=Web(address=origin), mail=tried)
        try:
            if to is None:
                open_line(config).close()
            else:
                send_test(config, clock, to, language=config.language)
        except Trouble as trouble:
            raise Invalid("mail", "{why}", why=str(trouble)) from None
