# SPDX-License-Identifier: AGPL-3.0-or-later
"""Can a certificate of the hub be used for what it is for, by every Python we support, and for nothing else?"""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509

from booking_server.broker import pki
from booking_server.config import BadConfiguration


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "broker").mkdir()
    pki.issue_broker(tmp_path, tmp_path / "broker", host="127.0.0.1")
    return tmp_path


def speak(server: ssl.SSLContext, client: ssl.SSLContext) -> str:
    """Return why the client or the server ended the handshake, "" if neither did. TLS 1.2: both know at once."""
    for context in (server, client):
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    here, there = socket.socketpair()
    faults: list[str] = []

    def side(raw: socket.socket, context: ssl.SSLContext, *, serving: bool) -> None:
        name = None if serving else "127.0.0.1"
        try:
            context.wrap_socket(raw, server_side=serving, server_hostname=name).close()
        except OSError as error:
            raw.close()
            if "ALERT" not in str(error) and "EOF" not in str(error):
                faults.append(str(error))

    serving = threading.Thread(target=side, args=(here, server), kwargs={"serving": True})
    serving.start()
    side(there, client, serving=False)
    serving.join()
    return " ".join(faults)


def client(state: Path, certificate: Path, key: Path) -> ssl.SSLContext:
    """As strict as Python 3.13 is by default."""
    context = ssl.create_default_context(cafile=str(state / "authority" / "ca.pem"))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_cert_chain(certificate, key)
    return context


def server(state: Path, certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_verify_locations(state / "authority" / "ca.pem")
    context.load_cert_chain(certificate, key)
    return context


def test_broker_and_door_trust_each_other_strictly(state: Path) -> None:
    """Checked to the letter of RFC 5280, as Python 3.13 does, both certificates pass."""
    door, broker = pki.issue(state, "front"), state / "broker"
    here = server(state, broker / "broker.pem", broker / "broker.key")
    assert speak(here, client(state, door / "certificate.pem", door / "key.pem")) == ""


def test_a_door_cannot_pose_as_the_broker(state: Path) -> None:
    """A stolen door's certificate is no server's: other doors do not connect to it."""
    stolen, door = pki.issue(state, "front"), pki.issue(state, "back")
    here = server(state, stolen / "certificate.pem", stolen / "key.pem")
    assert "CERTIFICATE_VERIFY_FAILED" in speak(here, client(state, door / "certificate.pem", door / "key.pem"))


def test_the_brokers_certificate_lets_nobody_in(state: Path) -> None:
    """The broker's own certificate is no client's: whoever reads it off the broker cannot connect with it."""
    broker = state / "broker"
    here = server(state, broker / "broker.pem", broker / "broker.key")
    assert "CERTIFICATE_VERIFY_FAILED" in speak(here, client(state, broker / "broker.pem", broker / "broker.key"))


def test_no_certificate_ends_before_the_authority(state: Path) -> None:
    """Nothing renews a door's certificate, so none ends on a door unnoticed; each begins before any clock of ours."""
    files = [pki.issue(state, "front") / "certificate.pem", state / "broker" / "broker.pem", state / "authority" / "ca.pem"]
    made = [x509.load_pem_x509_certificate(file.read_bytes()) for file in files]
    spans = {(certificate.not_valid_before_utc, certificate.not_valid_after_utc) for certificate in made}
    assert len(spans) == 1
    assert spans.pop()[0] == pki.BEGINS


def test_a_new_authority_makes_new_certificates(state: Path, tmp_path: Path) -> None:
    """After the authority was lost and made anew, server and broker are not left with certificates that nobody trusts."""
    before = (pki.issue(state, "server-doors-1") / "certificate.pem").read_bytes()
    broker = (state / "broker" / "broker.pem").read_bytes()
    for name in ("ca.pem", "ca.key"):
        (state / "authority" / name).unlink()
    assert (pki.issue(state, "server-doors-1") / "certificate.pem").read_bytes() != before
    pki.issue_broker(state, state / "broker", host="127.0.0.1")
    assert (state / "broker" / "broker.pem").read_bytes() != broker


def test_half_an_authority_is_never_replaced(state: Path) -> None:
    """A lost or strange authority key is a sentence that says what to do: a new authority would lock every door out."""
    key = state / "authority" / "ca.key"
    key.unlink()
    with pytest.raises(BadConfiguration, match="put it back from your backup"):
        pki.issue(state, "back")
    key.write_bytes((state / "broker" / "broker.key").read_bytes())
    with pytest.raises(BadConfiguration, match="not the authority's key"):
        pki.issue(state, "back")
