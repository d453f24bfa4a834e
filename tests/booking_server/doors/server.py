# SPDX-License-Identifier: AGPL-3.0-or-later
"""The process `booking-server doors` on a real broker, as a child of the test. Broker and server share one certificate here:
who may write where is the broker's matter and is tested there."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.system import parts
from tests.system.processes import Child, Processes, answers, free_port
from tests.system.settings_file import write_settings

_BROKER = """
listener {port} 127.0.0.1
cafile {identity}/ca.pem
certfile {identity}/certificate.pem
keyfile {identity}/key.pem
require_certificate true
allow_anonymous true
set_tcp_nodelay true
user root
"""


class Server:
    """A broker, and the process when it is started. `folder` holds settings, state and certificates."""

    def __init__(self, folder: Path, processes: Processes, database_url: str, clock: Path | None = None) -> None:
        self.folder, self.port, self._processes = folder, free_port(), processes
        self.identity = folder / "state" / "identities" / "server-doors-1"
        self.broker: Child
        write_identity(self.identity)
        settings: dict[str, object] = {
            "database": database_url,
            "state_folder": str(folder / "state"),
            "broker": {"host": "127.0.0.1", "port": self.port},
        }
        if clock is not None:
            settings |= {"demo": True, "simulated": {"clock": str(clock)}}
        write_settings(folder / "server.toml", settings)

    def start_broker(self) -> None:
        settings = self.folder / "mosquitto.conf"
        settings.write_text(_BROKER.format(port=self.port, identity=self.identity), encoding="ascii")
        self.broker = self._processes.start("broker", [parts.mosquitto() or "mosquitto", "-c", settings])
        self.broker.wait_until(lambda: answers(self.port))

    def stop_broker(self) -> None:
        """Take the broker away at once."""
        self.kill(self.broker)

    def start(self, *, until: str = '"ready"') -> Child:
        """Start the process and wait until it says `until`."""
        log = self.folder / "logs" / "doors.log"
        before = log.stat().st_size if log.exists() else 0
        child = self.begin()
        child.wait_until(lambda: until in child.said()[before:])
        return child

    def begin(self) -> Child:
        program = "from booking_server.cli import main; main()"
        return self._processes.start("doors", [sys.executable, "-c", program, "--config", self.folder / "server.toml", "doors"])

    def kill(self, child: Child) -> None:
        """End it as a power cut would."""
        self._processes.forget(child)
        child.kill()


def write_identity(folder: Path) -> None:
    """Write a certificate for 127.0.0.1, signed by itself, as server and client."""
    folder.mkdir(parents=True)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "here")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=9999))
    made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    certificate = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    pem, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    for file, content in (
        ("ca.pem", certificate),
        ("certificate.pem", certificate),
        ("key.pem", key.private_bytes(serialization.Encoding.PEM, pem, plain)),
    ):
        (folder / file).write_bytes(content)
