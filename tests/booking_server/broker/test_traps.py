# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does the installed Mosquitto, under our settings, let a door be itself and nothing else?"""

from __future__ import annotations

import socket
import ssl
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from access_contract import topics
from access_contract.envelope import seal
from access_contract.messages import MESSAGE_BYTES_MAX, Open, ToDoor
from access_contract.vocabulary import DoorId
from booking_server.broker import pki
from booking_server.broker.settings import broker_folder, write_revocations
from booking_server.doors.wire import Wire, tls_context
from door_agent.config import Broker
from door_agent.link import Link
from tests.booking_server.broker.lines import SERVER, Line, RunningBroker
from tests.system import parts
from tests.system.processes import wait_for

pytestmark = pytest.mark.skipif(parts.mosquitto() is None, reason=parts.missing("Mosquitto"))
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
FRONT, BACK = DoorId("front"), DoorId("back")
NOT_AUTHORIZED, PACKET_TOO_LARGE = 0x87, 0x95


@pytest.fixture(scope="module")
def shared_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    running = RunningBroker(tmp_path_factory.mktemp("b"))
    running.start()
    yield running
    running.close()


@pytest.fixture
def broker(shared_broker: RunningBroker) -> Iterator[RunningBroker]:
    """A broker that many tests use, each with lines of its own."""
    yield shared_broker
    shared_broker.close_lines()


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[RunningBroker]:
    """A broker that a test may kill or revoke at."""
    running = RunningBroker(tmp_path)
    running.start()
    yield running
    running.close()


@pytest.fixture
def server(broker: RunningBroker) -> Line:
    """The server's own line, listening to all that doors may write."""
    return broker.line(SERVER).connect().subscribe(*topics.from_doors("doors"))


def nothing_more(line: Line, sender: Line) -> list[str]:
    """Return the topics that `line` heard, once a message that was sent after all others has come through."""
    mark = f"mark-{time.monotonic_ns()}".encode()
    sender.publish(topics.up(DoorId(sender.client._client_id.decode()), "events"), mark)
    wait_for(lambda: any(content == mark for _, content, _ in line.heard), "the mark comes through")
    return [topic for topic, content, _ in line.heard if not content.startswith(b"mark-")]


# --- who may say and hear what ---------------------------------------------------------------------------------------


def test_a_door_writes_its_own_topics_and_the_server_hears_it(broker: RunningBroker, server: Line) -> None:
    """What a door may say arrives."""
    front = broker.line(FRONT).connect()
    assert not front.publish(topics.up(FRONT, "events")).is_failure  # type: ignore[union-attr]
    assert not front.publish(topics.status(FRONT)).is_failure  # type: ignore[union-attr]
    wait_for(lambda: {topics.up(FRONT, "events"), topics.status(FRONT)} <= set(server.topics()), "both arrive")


@pytest.mark.parametrize(
    "topic",
    [topics.up(BACK, "events"), topics.status(BACK), topics.down(FRONT, "command"), topics.down(BACK, "command"), "other"],
)
def test_a_door_may_write_nothing_else(broker: RunningBroker, server: Line, topic: str) -> None:
    """A message on another door's topic, on a door's own down, or anywhere else is refused in the PUBACK and reaches nobody."""
    front = broker.line(FRONT).connect()
    said = front.publish(topic)
    assert said is not None
    assert said.value == NOT_AUTHORIZED
    assert topic not in nothing_more(server, front)


def test_a_door_hears_only_its_own_down(broker: RunningBroker, server: Line) -> None:
    """A door that subscribes to everything hears what is meant for it and nothing else."""
    front = broker.line(FRONT).connect().subscribe("#", "hubkey/#", topics.all_down(BACK), topics.all_down(FRONT))
    broker.line(BACK).connect().publish(topics.up(BACK, "events"), b"theirs")
    server.publish(topics.down(BACK, "command"), b"theirs")
    server.publish(topics.down(FRONT, "command"), b"ours")
    wait_for(lambda: front.heard, "its own arrives")
    assert set(front.topics()) == {topics.down(FRONT, "command")}


def test_the_certificate_is_who_one_is(broker: RunningBroker, server: Line) -> None:
    """Whatever user name and client id a door claims, its certificate's name is its identity."""
    liar = Line(broker.port, broker.identity(FRONT), BACK, user=BACK).connect()
    refused, own = liar.publish(topics.up(BACK, "events")), liar.publish(topics.up(FRONT, "events"), b"own")
    liar.close()
    assert refused is not None
    assert refused.value == NOT_AUTHORIZED
    assert own is not None
    assert not own.is_failure


def test_a_client_id_cannot_be_stolen(broker: RunningBroker) -> None:
    """A door that claims another's client id does not push that door off the broker."""
    back = broker.line(BACK).connect()
    thief = Line(broker.port, broker.identity(FRONT), BACK).connect()
    thief.publish(topics.up(FRONT, "events"))
    still = back.publish(topics.up(BACK, "events"))
    thief.close()
    assert not back.ended.is_set()
    assert still is not None
    assert not still.is_failure


def test_a_will_speaks_for_its_own_door_only(broker: RunningBroker, server: Line) -> None:
    """The will of a door that is cut arrives on its own topic; one on another door's topic never does."""
    liar = Line(broker.port, broker.identity(BACK), BACK, will=topics.status(FRONT)).connect()
    liar.cut()
    honest = Line(broker.port, broker.identity(FRONT), FRONT, will=topics.status(FRONT)).connect()
    honest.cut()
    wait_for(lambda: (topics.status(FRONT), b"gone", False) in server.heard, "the own will arrives")
    assert [content for topic, content, _ in server.heard if topic == topics.status(FRONT)].count(b"gone") == 1


# --- who may come in -------------------------------------------------------------------------------------------------


def test_without_a_certificate_nobody_comes_in(broker: RunningBroker) -> None:
    """A client that shows no certificate gets no line, and one in plain text no answer."""
    context = ssl.create_default_context(cafile=str(broker.identity(FRONT) / "ca.pem"))
    assert _refused(broker.port, context)
    with socket.create_connection(("127.0.0.1", broker.port), timeout=5) as plain:
        plain.sendall(b"\x10\x10\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x03abc")
        assert _is_over(plain)


def test_another_authority_is_nobody(broker: RunningBroker, tmp_path: Path) -> None:
    """A certificate of the right name from another authority gets no line."""
    stranger = pki.issue(tmp_path / "other", FRONT)
    context = ssl.create_default_context(cafile=str(broker.identity(FRONT) / "ca.pem"))
    context.load_cert_chain(str(stranger / "certificate.pem"), str(stranger / "key.pem"))
    assert _refused(broker.port, context)


def test_old_tls_is_refused(own_broker: RunningBroker) -> None:
    """TLS 1.1 is not spoken, even where the machine itself would allow it."""
    own_broker.kill()
    with own_broker.settings.open("a", encoding="ascii") as settings:
        settings.write("ciphers ALL:@SECLEVEL=0\n")
    own_broker.start(OPENSSL_CONF="/dev/null")
    assert comes_in(own_broker, own_broker.identity(FRONT))
    context = tls_context(own_broker.identity(FRONT))
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    assert _refused(own_broker.port, context)


def _refused(port: int, context: ssl.SSLContext) -> bool:
    """True if no byte of MQTT is answered: TLS 1.3 tells a client without a certificate only after the handshake."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as raw:
        try:
            with context.wrap_socket(raw, server_hostname="127.0.0.1") as line:
                line.sendall(b"\x10\x10\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x03abc")
                return _is_over(line)
        except (ssl.SSLError, ConnectionError):
            return True


def _is_over(line: socket.socket) -> bool:
    line.settimeout(5)
    try:
        return line.recv(1) == b""
    except (ssl.SSLError, ConnectionError):
        return True


def test_a_revoked_door_is_silenced_at_once_and_cannot_come_back(own_broker: RunningBroker) -> None:
    """After a revocation the live session says and hears nothing more, a new connection fails, and other doors go on."""
    identity = own_broker.identity(FRONT)
    server = own_broker.line(SERVER).connect().subscribe(*topics.from_doors("doors"))
    front, back = own_broker.line(FRONT).connect(), own_broker.line(BACK).connect()
    front.subscribe(topics.all_down(FRONT))
    pki.revoke(own_broker.config.folder, FRONT, now=NOW)
    write_revocations(own_broker.config)
    own_broker.reread()
    wait_for(lambda: _is_not_authorized(front.publish(topics.up(FRONT, "events"), b"late")), "the live session is silenced")
    server.heard.clear()
    front.publish(topics.up(FRONT, "events"), b"later")
    server.publish(topics.down(FRONT, "command"), b"to the revoked")
    server.publish(topics.down(BACK, "command"))
    assert nothing_more(server, back) == []
    assert front.heard == []
    assert not comes_in(own_broker, identity)


def _is_not_authorized(said: Any) -> bool:
    return said is not None and said.value == NOT_AUTHORIZED


def comes_in(broker: RunningBroker, identity: Path) -> bool:
    """Whether the broker takes the certificate. With TLS 1.2 that is said within the handshake."""
    context = tls_context(identity)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(("127.0.0.1", broker.port), timeout=5) as raw:
        try:
            context.wrap_socket(raw, server_hostname="127.0.0.1").close()
        except (ssl.SSLError, ConnectionError):
            return False
    return True


def test_revoking_ends_the_live_line(own_broker: RunningBroker) -> None:
    """`broker revoke` ends the line that the door holds, at once and for good; every other door's line goes on."""
    front, back = own_broker.line(FRONT).connect(), own_broker.line(BACK).connect()
    identity = own_broker.identity(FRONT)
    said = own_broker.command("broker", "revoke", FRONT)
    assert "its line, if it had one, has ended" in said, said
    wait_for(front.ended.is_set, "the line ends", limit_seconds=2)
    assert not comes_in(own_broker, identity)
    refused = back.publish(topics.up(BACK, "events"))
    assert refused is not None
    assert not refused.is_failure


def test_a_broker_that_does_not_read_the_new_list_is_told_of(own_broker: RunningBroker) -> None:
    """Where the broker goes on with the old list, `broker revoke` says so instead of promising anything."""
    front = own_broker.line(FRONT).connect()
    (broker_folder(own_broker.config) / "broker.pid").unlink()
    assert "THE BROKER DOES NOT KNOW YET" in own_broker.command("broker", "revoke", FRONT)
    assert not front.ended.is_set()


def test_a_broker_that_just_started_survives_being_told(own_broker: RunningBroker) -> None:
    """Mosquitto opens its port before it takes signals: being told to read again in between does not end it."""
    for _ in range(5):
        own_broker.kill()
        own_broker.start()
        own_broker.reread()
        assert comes_in(own_broker, own_broker.identity(FRONT))


def test_a_list_outside_its_time_locks_everyone_out_and_ours_has_none(own_broker: RunningBroker) -> None:
    """Mosquitto lets nobody in under an expired list; ours lasts as long as the authority, and writing it anew heals."""
    file, folder = broker_folder(own_broker.config) / "revoked.pem", own_broker.config.folder / "authority"
    authority = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    ours = x509.load_pem_x509_crl(file.read_bytes())
    assert ours.next_update_utc == authority.not_valid_after_utc
    assert ours.last_update_utc == authority.not_valid_before_utc
    key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), password=None)
    expired = x509.CertificateRevocationListBuilder().issuer_name(authority.subject)
    expired = expired.last_update(datetime(2020, 1, 1, tzinfo=UTC)).next_update(datetime(2020, 2, 1, tzinfo=UTC))
    file.write_bytes(expired.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))  # type: ignore[arg-type]
    own_broker.reread()
    wait_for(lambda: not comes_in(own_broker, own_broker.identity(BACK)), "nobody comes in")
    own_broker.command("broker", "write")
    wait_for(lambda: comes_in(own_broker, own_broker.identity(BACK)), "all come in again")


# --- what the broker does with messages ------------------------------------------------------------------------------


def test_an_oversized_message_is_refused_and_the_broker_goes_on(broker: RunningBroker, server: Line) -> None:
    """A message over the limit is refused or ends its sender's line; every other door goes on."""
    back, front = broker.line(BACK).connect(), broker.line(FRONT).connect()
    said = front.publish(topics.up(FRONT, "events"), b"x" * (MESSAGE_BYTES_MAX + 1))
    assert front.ended.is_set() or (said is not None and said.value == PACKET_TOO_LARGE)
    assert nothing_more(server, back) == []


def test_the_largest_message_passes(broker: RunningBroker, server: Line) -> None:
    """A message of exactly the largest size arrives whole."""
    front = broker.line(FRONT).connect()
    front.publish(topics.up(FRONT, "events"), b"x" * MESSAGE_BYTES_MAX)
    wait_for(lambda: any(len(content) == MESSAGE_BYTES_MAX for _, content, _ in server.heard), "it arrives")


def test_a_puback_is_not_storage(own_broker: RunningBroker) -> None:
    """Events that nobody listens for are acknowledged by the broker and gone: only the server's own word lets a door forget."""
    front = own_broker.line(FRONT).connect()
    said = [front.publish(topics.up(FRONT, "events"), str(number).encode()) for number in range(20)]
    assert all(reason is not None and not reason.is_failure for reason in said)
    server = own_broker.line(SERVER).connect().subscribe(*topics.from_doors("doors"))
    assert nothing_more(server, front) == []


def test_a_burst_beyond_the_queue_is_dropped_although_acknowledged(own_broker: RunningBroker) -> None:
    """A burst to a server that stalls is acknowledged and lost in part: why a door sends in a window, and sends again."""
    server = own_broker.line(SERVER).connect().subscribe(*topics.from_doors("doors"))
    awake = server.stall()
    front = own_broker.line(FRONT).connect()
    assert front.publish_many(topics.up(FRONT, "events"), 1500) == 1500
    awake.set()
    front.publish(topics.up(FRONT, "events"), b"last")
    wait_for(lambda: len(server.heard) >= 1000, "what was kept arrives")
    assert nothing_more(server, front).count(topics.up(FRONT, "events")) < 1500


def test_no_delay_is_on(broker: RunningBroker, server: Line) -> None:
    """A QoS 1 round trip is not held up by delayed acknowledgements: far below the 40 ms that Nagle's algorithm costs."""
    front = broker.line(FRONT).connect().subscribe(topics.all_down(FRONT))
    for line in (front, server):
        opened: Any = line.client.socket()
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    median = {qos: statistics.median(_round_trip(front, server, qos) for _ in range(30)) for qos in (0, 1)}
    assert median[1] < 12 * median[0] + 0.015


def _round_trip(front: Line, server: Line, qos: int) -> float:
    server.heard.clear()
    front.heard.clear()
    began = time.perf_counter()
    front.client.publish(topics.up(FRONT, "events"), b"ask", qos=qos)
    while not server.heard:
        time.sleep(0)  # yields, waits for nothing
    server.client.publish(topics.down(FRONT, "answer"), b"answer", qos=qos)
    while not front.heard:
        time.sleep(0)
    return time.perf_counter() - began


# --- our own ends of the line ----------------------------------------------------------------------------------------


@pytest.fixture
def signing() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture
def heard() -> list[ToDoor]:
    return []


def _link(broker: RunningBroker, signing: Ed25519PrivateKey, heard: list[ToDoor], up: list[bool]) -> Link:
    folder = broker.identity(FRONT)
    link = Link(FRONT, lambda: {"k": signing.public_key()}, trusted_now=lambda: None, heard=heard.append, changed=up.append)
    settings = Broker(host="127.0.0.1", port=broker.port, ca="ca.pem", certificate="certificate.pem", key="key.pem")
    link.start(settings, folder / "door.toml")
    wait_for(lambda: up[-1:] == [True], "the door is online")
    return link


def _command(signing: Ed25519PrivateKey, name: str) -> bytes:
    body = Open(command=name, nonce="n")
    return seal(body, door=FRONT, key_id="k", key=signing, expires_at=datetime(2100, 1, 1, tzinfo=UTC))


def test_a_retained_command_is_refused_by_the_door(
    own_broker: RunningBroker, signing: Ed25519PrivateKey, heard: list[ToDoor]
) -> None:
    """A command that the broker kept is counted and not obeyed, though signed; a fresh one is."""
    server = own_broker.line(SERVER).connect()
    server.publish(topics.down(FRONT, "command"), _command(signing, "kept"), retain=True)
    link = _link(own_broker, signing, heard, [])
    wait_for(lambda: link.counts["retained"], "the kept command is dropped")
    server.publish(topics.down(FRONT, "command"), _command(signing, "fresh"))
    wait_for(lambda: heard, "the fresh command arrives")
    link.close()
    assert [body.command for body in heard if isinstance(body, Open)] == ["fresh"]


def test_both_ends_subscribe_again_after_the_broker_was_gone(
    own_broker: RunningBroker, signing: Ed25519PrivateKey, heard: list[ToDoor]
) -> None:
    """After the broker was killed and came back, door and server hear each other again by themselves."""
    came: list[str] = []
    wire = Wire(identity=SERVER, tls=tls_context(own_broker.identity(SERVER)))
    wire.start("127.0.0.1", own_broker.port, lambda topic, _content, _retained: came.append(topic))
    up: list[bool] = []
    link = _link(own_broker, signing, heard, up)
    wait_for(lambda: wire.subscribed, "the server is online")
    own_broker.kill()
    wait_for(lambda: up[-1] is False and not wire.connected, "both notice")
    own_broker.start()
    wait_for(lambda: up[-1] is True and wire.subscribed, "both are back", limit_seconds=20)
    link.send_events([b"{}"])
    wire.send(FRONT, "command", _command(signing, "after"), expiry_seconds=10)
    wait_for(lambda: came and heard, "each hears the other")
    link.close()
    wire.stop()
    assert topics.up(FRONT, "events") in came


def test_a_refused_message_is_noticed_by_the_door(
    own_broker: RunningBroker, signing: Ed25519PrivateKey, heard: list[ToDoor]
) -> None:
    """A door looks at the reason in each PUBACK: what the broker does not take is counted by name."""
    link = _link(own_broker, signing, heard, [])
    pki.revoke(own_broker.config.folder, FRONT, now=NOW)
    write_revocations(own_broker.config)
    own_broker.reread()

    def refused() -> int:
        link.send_events([b"{}"])
        return link.counts["publish_refused"]

    wait_for(refused, "a refusal is counted")
    link.close()


def test_the_broker_keeps_nothing_on_disk(own_broker: RunningBroker) -> None:
    """After a restart a retained status is gone: the doors themselves say again how they are."""
    front = own_broker.line(FRONT).connect()
    front.publish(topics.status(FRONT), b"kept", retain=True)
    own_broker.kill()
    own_broker.start()
    server = own_broker.line(SERVER).connect().subscribe(*topics.from_doors("doors"))
    back = own_broker.line(BACK).connect()
    assert nothing_more(server, back) == []
    assert "database" not in {file.suffix for file in own_broker.settings.parent.iterdir()}
