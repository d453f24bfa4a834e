# SPDX-License-Identifier: AGPL-3.0-or-later
"""Checks an answer as it is given. What cannot work is Invalid: one line that says what to do. What may be meant is a warning.

Nothing here changes anything, on this machine or elsewhere.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from booking_server.accounts.passwords import hash_password
from booking_server.db import Database
from booking_server.errors import Invalid
from booking_server.setting_up.answers import STATE_FOLDER, Address

FREE_BYTES_MIN = 500_000_000
_NAME = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_MAIL_ADDRESS = re.compile(r"[^@\s<>\"]+@[^@\s<>\"]+")


def hub_name(given: str) -> str:
    """Return the hub's name. Raise Invalid."""
    name = " ".join(given.split())
    if not 1 <= len(name) <= 80 or not name.isprintable() or '"' in name or "\\" in name:
        raise Invalid("name", "Give the hub a name of 1 to 80 characters, without quotation marks.")
    return name


def address(given: str) -> Address:
    """Return the address in "hub.example.org", "192.168.1.10:8443" or "https://hub.example.org/". Raise Invalid."""
    text = given.strip().lower().removeprefix("https://").rstrip("/")
    if "//" in text or not text or "/" in text:
        raise Invalid("address", "Give a name or an IP address, as in hub.example.org or hub.example.org:8443.")
    host, port = _split(text)
    if not 1 <= port <= 65535:
        raise Invalid("address", "The port in {address} is not one; allowed are 1 to 65535.", address=given.strip())
    if not _is_host(host):
        raise Invalid("address", "{host} is neither a name nor an IP address, as in hub.example.org.", host=host)
    if host in ("0.0.0.0", "::") or host == "localhost" or (_is_ip(host) and ip_address(host).is_loopback):  # noqa: S104 - refused
        raise Invalid("address", "{host} is reached from this machine alone; give what people and doors can reach.", host=host)
    return Address(host, port)


def warnings_of(found: Address) -> list[str]:
    """Return what is odd about an address, each with what to do: it may still be meant so."""
    odd = []
    if not found.is_name:
        odd.append(f"{found.host} is no name: people cannot use passkeys, and every door is enrolled anew if it changes.")
        if not _is_here(found.host):
            odd.append(f"{found.host} is no address of this machine now: right only if a router passes it on.")
        return odd
    try:
        leads_to = {str(entry[4][0]) for entry in socket.getaddrinfo(found.host, None, type=socket.SOCK_DGRAM)}
    except (OSError, UnicodeError):
        return [f"{found.host} leads nowhere yet: make your DNS lead it to this machine before doors are enrolled."]
    if not any(_is_here(ip) for ip in leads_to):
        said = ", ".join(sorted(leads_to))
        odd.append(f"{found.host} leads to {said}, which this machine is not: right only if a router passes it on.")
    return odd


def port_is_free(port: int, *, why: str, unless: str = "") -> None:
    """Raise Invalid naming who holds a TCP port of this machine, `unless` it is the program of this name."""
    for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):  # noqa: S104 - tried, and let go of
        try:
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind((host, port))
        except PermissionError:
            return
        except OSError as error:
            if family == socket.AF_INET6 and error.errno != 98:  # EADDRINUSE; a machine without IPv6 has no such port to take
                continue
            holder = _holder(port)
            if unless and f" {unless} " in holder:
                return
            raise Invalid(
                "port",
                "Port {port} ({why}) is taken{holder}: stop that, or begin again with another port in the address.",
                port=port,
                why=why,
                holder=holder,
            ) from None


def administrator_name(given: str) -> str:
    """Return a name to sign in with. Raise Invalid."""
    name = given.strip().lower()
    if not 1 <= len(name) <= 200 or any(letter.isspace() for letter in name):
        raise Invalid("administrator", "Give a name to sign in with, without spaces, for instance an e-mail address.")
    return name


def password(given: str) -> str:
    """Return a password that the hub takes. Raise Invalid."""
    hash_password(given)
    return given


def mail_server(given: str) -> tuple[str, int | None]:
    """Return host and port (None where none is said) of "smtp.example.org" or "smtp.example.org:465". Raise Invalid."""
    text = given.strip().lower()
    host, port = _split(text, default=0)
    if not _is_host(host) or not 0 <= port <= 65535:
        raise Invalid(
            "mail", "{given} is no mail server; give its name, as in smtp.example.org or smtp.example.org:465.", given=text
        )
    return host, port or None


def mail_address(given: str) -> str:
    """Return a mail address. Raise Invalid."""
    if not _MAIL_ADDRESS.fullmatch(given.strip()):
        raise Invalid("mail", "{given} is no mail address, as in hub@example.org.", given=given.strip() or "Nothing")
    return given.strip()


def there_is_room(folder: Path, needed: int = FREE_BYTES_MIN) -> None:
    """Raise Invalid where the disk that `folder` is or will be on has not the bytes that a hub needs to begin."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(there).free
    if free < needed:
        raise Invalid(
            "disk",
            "The disk of {folder} has {free} MB left; a hub needs at least {needed} MB to begin. Make room first.",
            folder=folder,
            free=free // 1_000_000,
            needed=needed // 1_000_000,
        )


def units_may_write(state_folder: Path) -> None:
    """Raise Invalid for a folder that is shut to the hub's units, as every one is but theirs."""
    if state_folder != STATE_FOLDER:
        raise Invalid(
            "state_folder",
            "The hub's units write to {ours} alone: mount the disk that you mean there, and leave --state-folder out.",
            ours=STATE_FOLDER,
        )


def database_answers(url: str) -> None:
    """Raise Invalid where the database of this address is none that the hub can use, or does not let it in.

    A file is made later; to look at it here would make it.
    """
    if url.startswith("sqlite:///"):
        return
    try:
        database = Database(url)
        try:
            with database.read() as tx:
                tx.execute(text("SELECT 1"))
        finally:
            database.close()
    except (SQLAlchemyError, ValueError, ImportError) as error:  # never the address itself: it holds a password
        why = str(getattr(error, "orig", None) or type(error).__name__).splitlines()[0]
        raise Invalid("database", "The database of --database cannot be used: {why}", why=why) from None


def clock_can_be_right(now: datetime) -> None:
    """Raise Invalid where this program is younger than the clock's time: certificates and doors would go by a wrong one."""
    made = datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC)
    if now < made:
        raise Invalid(
            "clock",
            "This machine's clock says {now:%Y-%m-%d %H:%M} UTC, which is past: set it (timedatectl set-ntp true), then again.",
            now=now,
        )


def _split(text: str, default: int = 443) -> tuple[str, int]:
    """A port that is no number is none at all, and refused as 0 is."""
    if _is_ip(text):
        return text, default
    host, colon, port = text.rpartition(":")
    if not colon:
        return text, default
    return host.strip("[]"), int(port) if port.isascii() and port.isdigit() and len(port) < 6 else -1


def _is_host(text: str) -> bool:
    return _is_ip(text) or bool(_NAME.fullmatch(text) and not text.rpartition(".")[2].isdigit())


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_here(ip: str) -> bool:
    try:
        with socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((ip, 0))
    except OSError:
        return False
    return True


def _holder(port: int) -> str:
    """Return " by nginx (process 812)", or nothing where the machine does not tell."""
    try:
        told = subprocess.run(
            ["ss", "-Hltnp", f"sport = :{port}"], capture_output=True, text=True, check=False, timeout=10
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r'users:\(\("([^"]+)",pid=(\d+)', told)
    return f" by {found[1]} (process {found[2]})" if found else ""
