# SPDX-License-Identifier: AGPL-3.0-or-later
"""Writes what the answers come to into the settings' folder, each file with its owner and mode from its first byte on.

The settings get their name last, by `put_in_force`, when all that they speak of is made: a unit starts only where they are.
"""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from booking_server.broker.writing import OPEN
from booking_server.setting_up.answers import Answers, Certificate, caddy_text
from booking_server.setting_up.as_user import as_user

SHARED = 0o640
_FOLDER = 0o750


@dataclass(frozen=True, slots=True)
class Place:
    """Where the settings are and are to be, and who besides root reads them."""

    settings: Path
    owner: pwd.struct_passwd | None

    @property
    def coming(self) -> Path:
        """Where the settings stand until all that they speak of is made."""
        return self.settings.with_name(f"{self.settings.name}.coming")

    @property
    def caddyfile(self) -> Path:
        return self.settings.with_name("Caddyfile")

    def folder(self, name: str) -> Path:
        """Return a folder beside the settings that nobody but root and the owner opens, made if it is missing."""
        made = self.settings.parent / name
        made.mkdir(mode=_FOLDER, parents=True, exist_ok=True)
        self._give(made, _FOLDER)
        return made

    def write(self, file: Path, content: bytes, *, mode: int = SHARED) -> None:
        """Put `content` in the place of `file`, whole or not at all."""
        beside = file.with_name(f".{file.name}.new")
        beside.unlink(missing_ok=True)
        try:
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                out.write(content)
                out.flush()
                os.fsync(out.fileno())
            self._give(beside, mode)
            beside.replace(file)
        finally:
            beside.unlink(missing_ok=True)

    def put_in_force(self) -> None:
        """Let the settings that are coming be the settings."""
        if self.coming.exists():
            self.coming.replace(self.settings)

    def _give(self, file: Path, mode: int) -> None:
        if self.owner is not None:
            os.chown(file, 0, self.owner.pw_gid)
        file.chmod(mode)


def write_answers(place: Place, answers: Answers, *, state_folder: Path, database: str | None) -> None:
    """Write secrets, certificate and Caddyfile where there are any, then the settings as `place.coming`."""
    place.settings.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    if answers.files is not None:
        answers = replace(answers, files=_readable(place, *answers.files))
    if answers.mail is not None and answers.mail_password:
        file = place.folder("secrets") / "mail-password"
        place.write(file, answers.mail_password.encode() + b"\n")
        answers = replace(answers, mail=msgspec.structs.replace(answers.mail, password_file=str(file)))
    if answers.certificate is Certificate.ACME:
        place.write(place.caddyfile, caddy_text(answers.address).encode(), mode=OPEN)
    text = answers.settings(state_folder=state_folder, database=database)
    place.write(place.coming, text.encode())


def _readable(place: Place, certificate: Path, key: Path) -> tuple[Path, Path]:
    """Return the files themselves where the hub's user reads them, else copies that it does."""
    if as_user(place.owner, lambda: os.access(certificate, os.R_OK) and os.access(key, os.R_OK)):
        return certificate, key
    folder = place.folder("tls")
    copies = folder / "certificate.pem", folder / "key.pem"
    for file, copy in zip((certificate, key), copies, strict=True):
        place.write(copy, file.read_bytes())
    return copies
