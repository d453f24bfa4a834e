# SPDX-License-Identifier: AGPL-3.0-or-later
"""Starts the hub's units on this machine, waits until each does its work, and puts Caddy before the pages.

It touches no service that is not the hub's but Caddy, and says each thing that it did there.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

from booking_server.config import Config, is_loopback
from booking_server.errors import BookingServerError

SETTINGS = Path("/etc/hubkey/server.toml")
"""What the units read."""
UNITS = (Path("/etc/systemd/system"), Path("/usr/lib/systemd/system"), Path("/lib/systemd/system"))
CADDYFILE = Path("/etc/caddy/Caddyfile")
START_SECONDS_MAX = 90
CERTIFICATE_SECONDS_MAX = 60
_LOW_PORT = """\
# Written by `booking-server init`: the pages' port is below 1024.
[Service]
AmbientCapabilities=CAP_NET_BIND_SERVICE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
"""
Say = Callable[[str], None]


class NotStarted(BookingServerError):
    """A part did not come up; the message says which, why, and where more stands."""


def can_start(settings: Path) -> bool:
    """True if systemd runs here, we are root, and the hub's units read these settings."""
    return os.geteuid() == 0 and settings == SETTINGS and Path("/run/systemd/system").is_dir() and bool(_units())


def start(config: Config, say: Say) -> None:
    """Enable the units and timers, start them and wait until each is ready. Raise NotStarted."""
    _allow_low_port(config)
    _systemctl("daemon-reload")
    units = _units()
    _systemctl("enable", *units)
    for unit in units:
        _start_unit(unit)
        say(f"{unit.partition('.')[0]}: {'runs' if unit.endswith('.service') else 'goes by its timer'}")
    if _succeeds("systemctl", "is-active", "mosquitto.service"):
        say("Note: Debian's own mosquitto runs too (port 1883, this machine only). The hub does not need it:")
        say("      systemctl disable --now mosquitto")
    if not is_loopback(config.web.host) and _succeeds("systemctl", "is-active", "caddy.service"):
        say("Note: Caddy runs too, with pages that are not the hub's. If nobody needs them: systemctl disable --now caddy")


def put_caddy_before(config: Config, ours: Path, say: Say) -> None:
    """Have Caddy read `ours` and wait until it shows a certificate for the pages' name; say so where that takes longer."""
    before = CADDYFILE.read_text(encoding="utf-8") if CADDYFILE.exists() else ""
    if f"import {ours}" not in before:
        _import_into_caddy(before, ours, say)
    for doing in (("enable", "--now"), ("reload",)):
        if not _succeeds("systemctl", *doing, "caddy.service"):
            raise NotStarted("Caddy does not start{why}. More: journalctl -u caddy -n 20", why=_last_word("caddy.service"))
    host, port = _host_and_port(config.web.origin)
    if _shows_certificate(host, port):
        say(f"caddy: has the certificate for {host}")
        return
    say(f"Note: Caddy has no certificate for {host} yet and goes on trying. The name must lead to this machine, and ports 80")
    say(f"      and {port} must be reachable from the internet. What it says: journalctl -u caddy -n 20")


def _units() -> list[str]:
    """Services before timers; those without [Install] are started by a timer."""
    found = {file.name for folder in UNITS for file in folder.glob("booking-server-*") if _is_installed(file)}
    return sorted(found, key=lambda name: (name.endswith(".timer"), name))


def _is_installed(file: Path) -> bool:
    return file.suffix in (".service", ".timer") and "\n[Install]" in file.read_text(encoding="utf-8")


def _allow_low_port(config: Config) -> None:
    """Where people come to the pages themselves, and at a port that only the privileged may have, the unit may have it."""
    file = UNITS[0] / "booking-server-web.service.d" / "port.conf"
    if config.web.port >= 1024 or is_loopback(config.web.host):
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(_LOW_PORT, encoding="utf-8")


def _start_unit(unit: str) -> None:
    try:
        done = subprocess.run(
            ["systemctl", "start", unit], capture_output=True, text=True, check=False, timeout=START_SECONDS_MAX
        )
    except subprocess.TimeoutExpired:
        done = None
    if done is None or done.returncode or not _succeeds("systemctl", "is-active", unit):
        said = "{unit} is not ready{why}. It goes on trying; more: journalctl -u {unit} -n 20; then run this again."
        raise NotStarted(said, unit=unit, why=_last_word(unit))


def _last_word(unit: str) -> str:
    told = subprocess.run(
        ["journalctl", "--unit", unit, "--no-pager", "--output=cat", "--lines=40"], capture_output=True, text=True, check=False
    ).stdout.splitlines()
    errors = [line.removeprefix("Error: ") for line in told if line.startswith("Error: ")]
    return f": {errors[-1]}" if errors else ""


def _import_into_caddy(before: str, ours: Path, say: Say) -> None:
    line = f"import {ours}\n"
    kept = CADDYFILE.with_name("Caddyfile.before-hubkey")
    if before:
        shutil.copy2(CADDYFILE, kept)
    CADDYFILE.parent.mkdir(exist_ok=True)
    CADDYFILE.write_text(line if _is_debians(before) else f"{before.rstrip()}\n\n{line}", encoding="utf-8")
    if _succeeds("caddy", "validate", "--adapter", "caddyfile", "--config", str(CADDYFILE)):
        say(f"caddy: {CADDYFILE} reads {ours}" + (f"; as it was before: {kept}" if before else ""))
        return
    CADDYFILE.write_text(before, encoding="utf-8")
    raise NotStarted(
        "{file} is left as it was, for Caddy would not take it with this line; put it in: {line}",
        file=CADDYFILE,
        line=line.strip(),
    )


def _is_debians(text: str) -> bool:
    """True if it is the example that came with the package, which nobody touched."""
    told = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Conffiles}", "caddy"], capture_output=True, text=True, check=False
    ).stdout
    known = next((line.split()[1] for line in told.splitlines() if line.strip().startswith(f"{CADDYFILE} ")), None)
    return not text or hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() == known


def _shows_certificate(host: str, port: int) -> bool:
    until, pause = time.monotonic() + CERTIFICATE_SECONDS_MAX, Event()
    context = ssl.create_default_context()
    while time.monotonic() < until:
        try:
            with (
                socket.create_connection(("127.0.0.1", port), timeout=5) as line,
                context.wrap_socket(line, server_hostname=host),
            ):
                return True
        except (OSError, ValueError):
            pause.wait(1)
    return False


def _host_and_port(origin: str) -> tuple[str, int]:
    host, _, port = origin.removeprefix("https://").partition(":")
    return host, int(port or 443)


def _systemctl(*words: str) -> None:
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotStarted(
            "systemctl {words}: {why}", words=" ".join(words), why=(done.stderr.strip().splitlines() or ["failed"])[-1]
        )


def _succeeds(*words: str) -> bool:
    try:
        return subprocess.run(words, capture_output=True, check=False, timeout=START_SECONDS_MAX).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
