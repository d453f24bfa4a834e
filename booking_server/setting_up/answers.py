# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the five questions are answered with, and the settings that come of it: the shipped file with these values in it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from booking_server.config import Mail

FILES = Path(__file__).parent / "files"
STATE_FOLDER: Final = Path("/var/lib/hubkey")
BROKER_PORT: Final = 8883
PAGES_BEHIND_CADDY: Final = 8080
_HTTPS: Final = 443
_LINE = re.compile(r"^(?P<key>[a-z_]+) = (?P<value>\"[^\"]*\"|[^ #]+)(?P<gap> *)(?P<comment>#.*)?$")


Values = dict[str, str | int]


class Certificate(StrEnum):
    """Whose certificate the pages show: Caddy's by ACME, one in files of the owner's, or one of the hub's own authority."""

    ACME = "acme"
    FILES = "files"
    AUTHORITY = "authority"


@dataclass(frozen=True, slots=True)
class Address:
    """Where people and doors reach this machine: a name or an IP address, and the port of the pages."""

    host: str
    port: int = _HTTPS

    @property
    def is_name(self) -> bool:
        """False of an IP address."""
        try:
            ip_address(self.host)
        except ValueError:
            return True
        return False

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"https://{host}" if self.port == _HTTPS else f"https://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Administrator:
    """Who signs in first."""

    sign_in_name: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """All five. `files` are certificate and key where the owner has them; `mail` is None for none yet."""

    name: str
    address: Address
    certificate: Certificate
    files: tuple[Path, Path] | None
    administrator: Administrator
    mail: Mail | None
    mail_password: str = field(default="", repr=False)
    broker_port: int = BROKER_PORT

    def settings(self, *, state_folder: Path, database: str | None) -> str:
        """Return the text of the settings file, comments and all."""
        return settings_text(self._values(state_folder, database or f"sqlite:///{state_folder / 'hub.sqlite'}"))

    def _values(self, state_folder: Path, database: str) -> dict[str, Values]:
        top: Values = {"name": self.name, "database": database, "state_folder": str(state_folder)}
        broker: Values = {"known_as": self.address.host, "port": self.broker_port}
        values: dict[str, Values] = {"": top, "web": self._web(), "broker": broker, "seller": {"name": self.name}}
        if state_folder != STATE_FOLDER:
            values["backup"] = {"folder": ""}  # the shipped one is made by the package, beside the hub's own
        if self.mail is not None:
            mail = self.mail
            values["mail"] = {"server": mail.server, "port": mail.port, "security": mail.security, "user": mail.user}
            values["mail"] |= {"password_file": mail.password_file, "sender": mail.sender}
        return values

    def _web(self) -> Values:
        if self.certificate is Certificate.ACME:
            return {"host": "127.0.0.1", "port": PAGES_BEHIND_CADDY, "address": self.address.url}
        own: Values = {"host": "0.0.0.0", "port": self.address.port, "address": self.address.url}  # noqa: S104 - people's way in
        if self.files is None:
            return {**own, "known_as": self.address.host}
        return {**own, "certificate": str(self.files[0]), "key": str(self.files[1])}


def settings_text(values: dict[str, Values]) -> str:
    """Return the shipped settings with `values` (by section; "" is the top) in the place of theirs."""
    section, lines = "", []
    left = {(name, key): value for name, keys in values.items() for key, value in keys.items()}
    for line in (FILES / "server.toml").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        found = _LINE.match(line)
        if found is not None and (section, found["key"]) in left:
            line = _written(found, left.pop((section, found["key"])))
        lines.append(line)
    if left:
        raise KeyError(f"the shipped settings lack {sorted(left)}")
    return "\n".join(lines) + "\n"


def _written(found: re.Match[str], value: str | int) -> str:
    """A comment stays in its column where there is room."""
    text = f"{found['key']} = {json.dumps(value, ensure_ascii=False)}"
    if not found["comment"]:
        return text
    return f"{text.ljust(found.start('comment') - 1)} {found['comment']}"


def caddy_text(address: Address, pages_port: int = PAGES_BEHIND_CADDY) -> str:
    """Return the shipped Caddyfile with this name in the place of the example's, for pages at `pages_port`."""
    shipped = (FILES / "Caddyfile").read_text(encoding="utf-8")
    name = address.url.removeprefix("https://")
    return shipped.replace("hub.example.org {", f"{name} {{").replace(
        f"127.0.0.1:{PAGES_BEHIND_CADDY} {{", f"127.0.0.1:{pages_port} {{"
    )
