# SPDX-License-Identifier: AGPL-3.0-or-later
"""The files that one door is given: its certificate, its tag key, the server's public keys, and its settings to complete.

Whoever holds this folder is the door. The door's private key is written here and kept nowhere else.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import Connection

from booking_server.broker import pki
from booking_server.config import Config
from booking_server.doors import service as doors
from booking_server.errors import Invalid
from booking_server.keys import Keys

_SETTINGS = """\
# Settings of the door {door} ({name}). Each line is explained in firmware_config/door.example.toml.
door = "{door}"
state_folder = "{state_folder}"
tag_key_file = "tag.key"

[broker]
host = "{host}"
port = {port}
ca = "ca.pem"
certificate = "certificate.pem"
key = "key.pem"

[server]
sealing_key = "server-sealing.pem"
signing_keys = {{ {signing_id} = "server-signing.pem" }}

[[readers]]
kind = "pcsc"
access_point = "in"
{more_readers}
[lock]
pin = 17
pulse_seconds = 5.0

# A door without a door contact counts every granted tap as an entry. With one, say where it is wired:
# [contact]
# pin = 22
"""
_WAY_OUT = """
[[readers]]
kind = "pcsc"
access_point = "out"
name = "name the second reader here"
"""


def write_door_files(tx: Connection, config: Config, keys: Keys, door_id: str, to: Path) -> None:
    """Write the folder `to` for a door. An earlier certificate of this door stays valid until it is revoked.

    Raise NotFound for a door that the server does not have; Invalid where the folder holds something already.
    """
    door = doors.door(tx, door_id)
    key = doors.tag_key(tx, keys.vault, door_id)
    two = any(point.point == "out" for point in doors.access_points(tx, door_id))
    if to.exists() and any(to.iterdir()):
        raise Invalid("to", "{folder} is not empty. Choose a new folder, or empty it.", folder=str(to))
    to.mkdir(parents=True, exist_ok=True)
    to.chmod(0o700)
    _write_secret(to / "tag.key", key)
    for name, public in (("signing", keys.signing.public_key()), ("sealing", keys.sealing.public_key())):
        (to / f"server-{name}.pem").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    settings = _SETTINGS.format(
        door=door_id,
        name=door.name.replace("\n", " "),
        state_folder="/var/lib/hubkey-door",
        host=config.broker.host,
        port=config.broker.port,
        signing_id=keys.signing_id,
        more_readers=_WAY_OUT if two else "",
    )
    (to / "door.toml").write_text(settings, encoding="utf-8")
    pki.issue_to(config.folder, door_id, to)


def _write_secret(file: Path, content: bytes) -> None:
    file.touch(mode=0o600)
    file.write_bytes(content)
