# SPDX-License-Identifier: AGPL-3.0-or-later
"""Do the pages work behind the Caddy that `booking-server init` sets up, with a certificate that comes by ACME?

The real command, pages and Caddy, with a second Caddy as the certificate authority, in a network of their own where they have
the very ports and names of a hub: 80, 443, 8080, hub.example.org. Nothing of this machine is reached or changed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from booking_server.accounts import service as accounts
from booking_server.accounts import sessions
from booking_server.actors import COMMAND_LINE
from booking_server.clock import SystemClock
from booking_server.db import Database
from tests.system import parts
from tests.system.processes import Child, Processes

SERVER = Path(sys.executable).with_name("booking-server")
NAME, AUTHORITY = "hub.example.org", "ca.example.org"
PASSWORD = "three or four words"
HERE, CLAIMED = "127.0.0.2", "203.0.113.9"
_CA = """\
{{
	admin off
	http_port 8081
	https_port 8443
	skip_install_trust
	storage file_system {folder}/authority
}}
{authority}:8443 {{
	tls internal
	acme_server
}}
"""
_CADDY = """\
{{
	admin off
	acme_ca https://{authority}:8443/acme/local/directory
	acme_ca_root {root}
	storage file_system {folder}/caddy
}}
import {ours}
"""
_VISIT = """
import http.client, json, socket, ssl, sys, urllib.parse
root, name, password, here, claimed = sys.argv[1:]
trusted = ssl.create_default_context(cafile=root)
def line(): return http.client.HTTPSConnection(name, timeout=10, context=trusted, source_address=(here, 0))
def ask(method, path, body=None, **headers):
    to = line()
    to.request(method, path, body, headers)
    return to, to.getresponse()
found = {}
claims = {"X-Forwarded-For": claimed, "X-Forwarded-Proto": "http", "X-Real-IP": claimed}
_, page = ask("GET", "/sign-in", **claims)
text = page.read().decode()
found["cookie"] = page.headers["Set-Cookie"]
jar = page.headers["Set-Cookie"].split(";")[0]
token = text.split('name="csrf_token" value="')[1].split('"')[0]
form = {"csrf_token": token, "sign_in_name": "aino@example.org", "password": password}
sent = {"Cookie": jar, "Referer": f"https://{name}/sign-in", "Content-Type": "application/x-www-form-urlencoded"}
_, done = ask("POST", "/sign-in", urllib.parse.urlencode(form), **sent, **claims)
said = done.read().decode()
found["signed_in"] = [done.status, done.headers["Location"]]
if done.status != 303:
    sys.exit(f"{done.status}: {said}")
to, stream = ask("GET", "/stream", Cookie="; ".join(one.split(";")[0] for one in done.headers.get_all("Set-Cookie")))
if stream.status != 200:
    sys.exit(f"the stream: {stream.status}; {done.headers}")
found["stream"] = [stream.status, stream.headers["Content-Type"].split(";")[0], bool(stream.readline())]
to.close()
answer = http.client.HTTPConnection(name, timeout=10)
answer.request("GET", "/people")
moved = answer.getresponse()
found["plain"] = [moved.status, moved.headers["Location"]]
two = ssl.create_default_context(cafile=root)
two.set_alpn_protocols(["h2", "http/1.1"])
with socket.create_connection((name, 443), timeout=10) as raw, two.wrap_socket(raw, server_hostname=name) as speaking:
    found["protocol"] = speaking.selected_alpn_protocol()
    found["issuer"] = str(speaking.getpeercert()["issuer"])
print(json.dumps(found))
"""


def _flags() -> list[str] | None:
    """Return how a network of one's own is made here, or None."""
    for flags in (["-mn"], ["-Urmn"]):
        if (
            shutil.which("unshare")
            and subprocess.run(["unshare", *flags, "true"], capture_output=True, check=False).returncode == 0
        ):
            return flags
    return None


FLAGS = _flags()
pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(parts.caddy() is None, reason=parts.missing("Caddy")),
    pytest.mark.skipif(FLAGS is None, reason="this user may not make a network of its own"),
]


@dataclass(frozen=True, slots=True)
class Room:
    """A network and file names of its own, and what runs in there."""

    folder: Path
    processes: Processes
    inside: list[str]

    def start(self, name: str, *words: str | Path) -> Child:
        return self.processes.start(name, [*self.inside, *words], environment={"XDG_DATA_HOME": str(self.folder)})

    def run(self, *words: str | Path) -> str:
        done = subprocess.run(
            [*self.inside, *map(str, words)], capture_output=True, text=True, check=False, env=parts.environment(), timeout=100
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    hosts = tmp_path / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {NAME} {AUTHORITY}\n", encoding="ascii")
    setup = f"mount --bind {hosts} /etc/hosts && ip link set lo up && touch {tmp_path}/up && exec sleep infinity"
    assert FLAGS is not None
    with Processes(tmp_path / "logs") as processes:
        keeper = processes.start("room", ["unshare", *FLAGS, "sh", "-c", setup])
        keeper.wait_until((tmp_path / "up").exists)
        user = ["-U", "--preserve-credentials"] if "U" in FLAGS[0] else []
        yield Room(tmp_path, processes, ["nsenter", f"--target={keeper.process.pid}", *user, "-m", "-n"])


def test_the_pages_work_behind_caddy_with_a_certificate_by_acme(room: Room) -> None:
    """One command sets it up; then: HTTP/2, plain http sent on, secure cookies, a form taken, a stream that flows at once,
    and the visitor's address as Caddy saw it, whatever the visitor claims."""
    _hub(room)
    root = _authority(room)
    _caddy(room, root)
    found: dict[str, Any] = json.loads(room.run(sys.executable, "-I", "-c", _VISIT, root, NAME, PASSWORD, HERE, CLAIMED))
    assert "Caddy Local Authority" in found["issuer"]
    assert found["protocol"] == "h2"
    assert found["plain"] == [308, f"https://{NAME}/people"]
    assert found["cookie"].startswith("__Host-")
    assert "Secure" in found["cookie"]
    assert found["signed_in"] == [303, "/"]
    assert found["stream"] == [200, "text/event-stream", True]
    assert _addresses(room) == [HERE]


def _hub(room: Room) -> None:
    """As a founder sets it up, but that a password alone is enough here."""
    (room.folder / "password").write_text(f"{PASSWORD}\n", encoding="ascii")
    settings = room.folder / "etc" / "server.toml"
    room.run(
        SERVER, "--config", settings, "init", "--name", "Oma Hub", "--address", NAME, "--certificate", "acme", "--no-mail",
        "--administrator", "aino@example.org", "--password-file", room.folder / "password",
        "--state-folder", room.folder / "state", "--no-start",
    )  # fmt: skip
    _write_caddyfile_again(room, settings)
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace('second_factor = "staff"', 'second_factor = "nobody"'), encoding="utf-8")
    child = room.start("web", SERVER, "--config", settings, "web")
    child.wait_until(lambda: "ready" in child.said())


def _write_caddyfile_again(room: Room, settings: Path) -> None:
    """A hub that was restored has its settings and not this file: unasked nothing is put there, asked for it is as it was."""
    file = settings.with_name("Caddyfile")
    before = file.read_bytes()
    file.unlink()
    assert "for Caddy: --certificate acme" in room.run(SERVER, "--config", settings, "init", "--no-start")
    assert not file.exists()
    room.run(SERVER, "--config", settings, "init", "--no-start", "--certificate", "acme")
    assert file.read_bytes() == before


def _authority(room: Room) -> Path:
    """Start the certificate authority and return its root."""
    file = room.folder / "ca.caddy"
    file.write_text(_CA.format(folder=room.folder, authority=AUTHORITY), encoding="ascii")
    root = room.folder / "authority" / "pki" / "authorities" / "local" / "root.crt"
    child = room.start("authority", str(parts.caddy()), "run", "--adapter", "caddyfile", "--config", file)
    child.wait_until(lambda: root.exists() and "certificate obtained successfully" in child.said())
    return root


def _caddy(room: Room, root: Path) -> None:
    """Start Caddy over the file that the command wrote, with the test's authority in place of Let's Encrypt."""
    file, ours = room.folder / "front.caddy", room.folder / "etc" / "Caddyfile"
    assert os.access(ours, os.R_OK)
    file.write_text(_CADDY.format(folder=room.folder, authority=AUTHORITY, root=root, ours=ours), encoding="ascii")
    child = room.start("caddy", str(parts.caddy()), "run", "--adapter", "caddyfile", "--config", file)
    child.wait_until(lambda: "certificate obtained successfully" in child.said(), limit_seconds=90)


def _addresses(room: Room) -> list[str]:
    database = Database(f"sqlite:///{room.folder / 'state' / 'hub.sqlite'}")
    try:
        with database.read() as tx:
            account = accounts.accounts(tx, COMMAND_LINE)[0]
            return [one.address for one in sessions.sessions_of(tx, now=SystemClock().now(), account_id=account.id)]
    finally:
        database.close()
