# SPDX-License-Identifier: AGPL-3.0-or-later
"""The files that one door is given: its certificate, its tag key, the server's public keys, and its settings to complete.

Whoever holds this folder is the door. The door's private key is written here and kept nowhere else.
"""

from __future__ import annotations

import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import Certificate
from sqlalchemy import Connection

from access_contract.enrolling import Delivered
from booking_server.broker import pki
from booking_server.broker.writing import OPEN, SECRET, write
from booking_server.config import BadConfiguration, Config
from booking_server.doors import service as doors
from booking_server.doors.service import Door
from booking_server.errors import Invalid
from booking_server.keys import Keys

_SETTINGS = """\
# Settings of the door {door} ({name}). Paths that do not start with / are beside this file.
# Every key is explained in /usr/share/hubkey-door/door.example.toml. Check with: door-agent check
door = {door}
demo = {demo}
state_folder = {state_folder}   # journal, snapshot and mode
tag_key_file = "tag.key"        # this door's own key for naming tags
# wiring = "fail-secure-strike" # what your lock is, or: fail-safe-maglock, motor-lock, door-operator. Take the first # away

[broker]
host = {host}                   # as it stands in the broker's certificate
port = {port}
ca = "ca.pem"                   # the hub's own authority
certificate = "certificate.pem" # who this door is
key = "key.pem"                 # and its proof: readable by the agent alone

[server]
signing_keys = {{ {signing_keys} }} # what signs the server's word
sealing_key = "server-sealing.pem"                 # what tag numbers are sealed to
"""
_WIRING = """\
{readers}
[lock]
pin = 17             # GPIO number of the relay; off means locked, by the wiring
active_high = true   # false for relay boards that switch on a low level
# pulse_seconds = 5  # how long the relay is on for one tap; left out, as `wiring` has it

# Without a door contact every granted tap counts as an entry. With one, say where it is wired:
# [contact]
# pin = 22
"""
_READER = """
[[readers]]
kind = {kind}
access_point = {point}
name = ""            # how PC/SC's name for it begins; empty takes any
"""
_SIMULATED = """
[[readers]]
kind = {kind}
access_point = {point}
"""
_ONE_OF_TWO = """
[[readers]]
kind = {kind}
access_point = {point}
name = {name}  # replace by the name that pcsc_scan shows for this reader
"""
_ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - what a door cannot connect to


def write_door_files(tx: Connection, config: Config, keys: Keys, door_id: str, to: Path) -> None:
    """Write the folder `to` for a door. An earlier certificate of this door stays valid until it is revoked.

    The door of a demo hub is a simulated one. Raise NotFound for a door that the server does not have; Invalid where the folder
    holds something already; BadConfiguration where the settings do not say what doors call the broker.
    """
    door = doors.door(tx, door_id)
    key = doors.tag_key(tx, keys.vault, door_id)
    points = [str(point.point) for point in doors.access_points(tx, door_id)]
    settings = _settings(config, keys, door) + _wiring(config, points)
    if to.exists() and any(to.iterdir()):
        raise Invalid("to", "{folder} is not empty. Choose a new folder, or empty it.", folder=str(to))
    to.mkdir(parents=True, exist_ok=True)
    to.chmod(0o700)
    write(to / "tag.key", key, mode=SECRET)
    for key_id, signing in keys.public.items():
        write(to / _signing_file(key_id), _public(signing), mode=OPEN)
    write(to / "server-sealing.pem", _public(keys.current.sealing.public_key()), mode=OPEN)
    write(to / "door.toml", settings.encode(), mode=OPEN)
    pki.issue_to(config.folder, door_id, to)


def delivered(tx: Connection, config: Config, keys: Keys, door_id: str, certificate: Certificate) -> Delivered:
    """Return what an enrolled box is given, whose private key was made on it. Raise NotFound; BadConfiguration."""
    door = doors.door(tx, door_id)
    points = [str(point.point) for point in doors.access_points(tx, door_id)]
    return Delivered(
        door=door.id,
        name=door.name,
        certificate=certificate.public_bytes(Encoding.PEM).decode(),
        authority=pki.authority(config.folder)[0].public_bytes(Encoding.PEM).decode(),
        signing_keys={key_id: _public(signing).decode() for key_id, signing in keys.public.items()},
        sealing_key=_public(keys.current.sealing.public_key()).decode(),
        tag_key=doors.tag_key(tx, keys.vault, door_id),
        broker_host=_host(config),
        broker_port=config.broker.port,
        access_points=points,
        settings=("demo = true\n" if config.demo else "") + _wiring(config, points),
    )


def _settings(config: Config, keys: Keys, door: Door) -> str:
    return _SETTINGS.format(
        door=_quoted(door.id),
        name="".join(letter for letter in door.name if letter.isprintable()),
        demo="true" if config.demo else "false",
        state_folder=_quoted("state" if config.demo else "/var/lib/hubkey-door"),
        host=_quoted(_host(config)),
        port=config.broker.port,
        signing_keys=", ".join(f"{key_id} = {_quoted(_signing_file(key_id))}" for key_id in keys.public),
    )


def _wiring(config: Config, points: list[str]) -> str:
    kind = _quoted("simulated" if config.demo else "pcsc")
    reader = _SIMULATED if config.demo else _READER if len(points) == 1 else _ONE_OF_TWO
    readers = "".join(reader.format(kind=kind, point=_quoted(p), name=_quoted(f"reader {p}")) for p in points)
    return _WIRING.format(readers=readers)


def _host(config: Config) -> str:
    host = config.broker.known_as or config.broker.host
    if host in _ANY_ADDRESS:
        raise BadConfiguration(f"broker.host is {host!r}; set broker.known_as to the name by which doors reach the broker")
    return host


def _public(key: Ed25519PublicKey | X25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _signing_file(key_id: str) -> str:
    return f"server-signing-{key_id}.pem"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
