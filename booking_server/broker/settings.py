# SPDX-License-Identifier: AGPL-3.0-or-later
"""Writes all that Mosquitto is told: one TLS listener, certificates as the only identity, nothing allowed but by name.

The broker is a wire and not a store: it keeps nothing on disk. After a restart every door says again how it is.
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from access_contract import topics
from access_contract.messages import MESSAGE_BYTES_MAX
from booking_server.broker import pki
from booking_server.broker.writing import SECRET, write
from booking_server.config import BadConfiguration, Config

PACKET_BYTES_MAX = MESSAGE_BYTES_MAX + 4096
"""A message, and room for its topic and properties."""

_SETTINGS = """\
# Written by `booking-server broker write`; changes made here are lost. Why each line is so: docs/broker.md.
per_listener_settings false
listener {port} {host}
cafile {folder}/ca.pem
certfile {folder}/broker.pem
keyfile {folder}/broker.key
crlfile {folder}/revoked.pem
tls_version tlsv1.2
require_certificate true
use_identity_as_username true
use_username_as_clientid true
allow_anonymous false
acl_file {folder}/acl
set_tcp_nodelay true
message_size_limit {message_bytes}
max_packet_size {packet_bytes}
max_inflight_messages 100
max_queued_messages 1000
max_keepalive 120
persistent_client_expiration 1h
persistence false
sys_interval 0
user {user}
pid_file {folder}/broker.pid
log_dest stderr
log_timestamp_format %Y-%m-%dT%H:%M:%S
log_type error
log_type warning
log_type notice
connection_messages true
"""

_RIGHTS = """\
# Written by `booking-server broker write`; changes made here are lost. What is not listed is not allowed.
user {server}
topic read {root}/door/+/up/+
topic read {root}/door/+/status
topic write {root}/door/+/down/+
{revoked}
pattern write {root}/door/%u/up/+
pattern write {root}/door/%u/status
pattern read {root}/door/%u/down/+
"""

_REVOKED = """
user {name}
topic deny {root}/#
"""


def broker_folder(config: Config) -> Path:
    """Return where the broker's files lie. Mosquitto splits its settings at spaces, so the path has none."""
    folder = config.folder.resolve() / "broker"
    if any(letter.isspace() for letter in str(folder)):
        raise BadConfiguration(f"state_folder is {config.state_folder!r}; Mosquitto takes no path with spaces, choose another")
    return folder


def write_broker(config: Config) -> Path:
    """Make certificates where they are missing, write settings, rights and revocations anew, return the settings' path."""
    folder = broker_folder(config)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    pki.issue_broker(config.folder, folder, host=config.broker.host, known_as=config.broker.known_as)
    pki.issue(config.folder, config.broker.identity)
    write(folder / "ca.pem", (pki.authority_folder(config.folder) / "ca.pem").read_bytes(), mode=SECRET)
    write_revocations(config)
    settings = _SETTINGS.format(
        folder=folder,
        host=config.broker.host,
        port=config.broker.port,
        message_bytes=MESSAGE_BYTES_MAX,
        packet_bytes=PACKET_BYTES_MAX,
        user=pwd.getpwuid(os.geteuid()).pw_name,
    )
    write(folder / "mosquitto.conf", settings.encode(), mode=SECRET)
    return folder / "mosquitto.conf"


def write_revocations(config: Config) -> None:
    """Write who may no longer connect (the list), and who, still connected, may say and hear nothing more (the rights)."""
    folder = broker_folder(config)
    write(folder / "revoked.pem", pki.revocation_list(config.folder), mode=SECRET)
    revoked = "".join(_REVOKED.format(name=name, root=topics.ROOT) for name in pki.revoked_names(config.folder))
    rights = _RIGHTS.format(server=config.broker.identity, root=topics.ROOT, revoked=revoked)
    write(folder / "acl", rights.encode(), mode=SECRET)
