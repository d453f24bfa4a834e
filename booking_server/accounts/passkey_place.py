# SPDX-License-Identifier: AGPL-3.0-or-later
"""At which address passkeys work. Browsers bind them to a name and want HTTPS; only this machine's own "localhost" may do
without. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

from booking_server.config import Config, is_loopback

_USUAL = {"http": 80, "https": 443}
Why = Literal["no_name", "no_https", "elsewhere"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The host to which passkeys are bound, and the one origin whose answers are taken."""

    host: str
    origin: str
    hub: str


def place_of(config: Config) -> Place | Why:
    """Return where this hub's passkeys work, or why nowhere. A demo at an address of this machine works as localhost."""
    found = urlsplit(config.web.origin)
    host = found.hostname or ""
    port = f":{found.port}" if found.port and found.port != _USUAL.get(found.scheme) else ""
    if config.demo and is_loopback(host):
        return Place(host="localhost", origin=f"{found.scheme}://localhost{port}", hub=config.name)
    if _is_number(host):
        return "no_name"
    if found.scheme != "https" and host != "localhost":
        return "no_https"
    return Place(host=host, origin=f"{found.scheme}://{host}{port}", hub=config.name)


def seen_at(place: Place | Why, host: str) -> Place | Why:
    """Return where passkeys work for who has opened the pages at `host`, which may have a port; "elsewhere" if not here."""
    if not isinstance(place, Place):
        return place
    return place if (urlsplit(f"//{host}").hostname or "") == place.host else "elsewhere"


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return not host
    return True
