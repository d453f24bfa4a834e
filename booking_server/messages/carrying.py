# SPDX-License-Identifier: AGPL-3.0-or-later
"""Takes mails out of the house: to an SMTP server, or as files into a folder. Every way of failing is one Trouble.

Over SMTP nothing is said, and no password, before the server has shown a certificate for its name, unless the settings ask
for none, which they may on this machine only.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from booking_server.config import BadConfiguration, Config
from booking_server.config import Mail as Settings
from booking_server.messages.composing import Mail
from booking_server.messages.troubles import Trouble, TroubleKind

TIMEOUT_SECONDS = 20.0
"""For the server's every answer. Some eight are waited for, which is less than a claim lasts."""


class Line(Protocol):
    """An open way out."""

    def send(self, mail: Mail) -> None:
        """Return once the mail is somebody else's to deliver. Raise Trouble."""

    def close(self) -> None: ...


def open_line(config: Config) -> Line:
    """Return an open line as the settings want it. Raise Trouble; BadConfiguration for a password that cannot be read."""
    if config.mail.folder:
        return _Folder(Path(config.mail.folder))
    if config.mail.server:
        return _Smtp(config.mail, urlsplit(config.web.origin).hostname or "localhost")
    raise Trouble(TroubleKind.NO_WAY)


class _Folder:
    """One file for each mail, named by its Message-ID: written anew it is still one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Trouble(TroubleKind.FOLDER, error.strerror or "") from None

    def send(self, mail: Mail) -> None:
        file = self._folder / f"{mail.message_id.strip('<>').partition('@')[0]}.eml"
        try:
            file.with_suffix(".part").write_bytes(mail.content)
            file.with_suffix(".part").replace(file)
        except OSError as error:
            raise Trouble(TroubleKind.FOLDER, error.strerror or "") from None

    def close(self) -> None: ...


class _Smtp:
    """A session with the mail server."""

    def __init__(self, settings: Settings, our_name: str) -> None:
        self._server = settings.server
        password = _password(settings)
        with self._troubles():
            self._session = _connected(settings, our_name)
        try:
            with self._troubles():
                if settings.user:
                    self._session.login(settings.user, password)
        except Trouble:
            self.close()
            raise

    def send(self, mail: Mail) -> None:
        with self._troubles():
            self._session.sendmail(mail.sender, [mail.address], mail.content)

    def close(self) -> None:
        with suppress(OSError, smtplib.SMTPException):
            self._session.quit()
        self._session.close()

    @contextmanager
    def _troubles(self) -> Iterator[None]:
        try:
            yield
        except ssl.SSLCertVerificationError as error:
            raise self._trouble(TroubleKind.CERTIFICATE, error.verify_message) from None
        except smtplib.SMTPNotSupportedError as error:
            raise self._trouble(TroubleKind.NO_TLS, str(error)) from None
        except smtplib.SMTPAuthenticationError as error:
            raise self._trouble(TroubleKind.SIGN_IN, _answer(error.smtp_code, error.smtp_error)) from None
        except smtplib.SMTPRecipientsRefused as error:
            raise self._refused(TroubleKind.ADDRESS_REFUSED, *next(iter(error.recipients.values()))) from None
        except smtplib.SMTPSenderRefused as error:
            raise self._refused(TroubleKind.SENDER_REFUSED, error.smtp_code, error.smtp_error) from None
        except smtplib.SMTPDataError as error:
            raise self._refused(TroubleKind.CONTENT_REFUSED, error.smtp_code, error.smtp_error) from None
        except smtplib.SMTPResponseException as error:
            raise self._trouble(TroubleKind.AWAY, _answer(error.smtp_code, error.smtp_error)) from None
        except (smtplib.SMTPException, OSError) as error:
            raise self._trouble(TroubleKind.AWAY, getattr(error, "strerror", None) or str(error)) from None

    def _refused(self, for_good: TroubleKind, code: int, said: bytes | str) -> Trouble:
        """5xx is for good, 421 is goodbye, and any other answer asks to come back later (RFC 5321, 4.2.1)."""
        if code == 421:
            return self._trouble(TroubleKind.AWAY, _answer(code, said))
        return self._trouble(for_good if code >= 500 else TroubleKind.LATER, _answer(code, said))

    def _trouble(self, kind: TroubleKind, said: str) -> Trouble:
        return Trouble(kind, said, server=self._server)


def _connected(settings: Settings, our_name: str) -> smtplib.SMTP:
    where = (settings.server, settings.port, our_name)
    if settings.security == "tls":
        return smtplib.SMTP_SSL(*where, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context())
    session = smtplib.SMTP(*where, timeout=TIMEOUT_SECONDS)
    if settings.security == "starttls":
        try:
            session.starttls(context=ssl.create_default_context())
        except BaseException:
            session.close()
            raise
    return session


def _password(settings: Settings) -> str:
    if not settings.user:
        return ""
    try:
        return Path(settings.password_file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise BadConfiguration(
            f"mail.password_file is {settings.password_file!r}, which cannot be read ({error.strerror})"
        ) from None
    except UnicodeDecodeError:
        raise BadConfiguration(f"mail.password_file is {settings.password_file!r}, which is not UTF-8 text") from None


def _answer(code: int, said: bytes | str) -> str:
    return f"{code} {said.decode('utf-8', 'replace') if isinstance(said, bytes) else said}"
