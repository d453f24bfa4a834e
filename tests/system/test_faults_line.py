# SPDX-License-Identifier: AGPL-3.0-or-later
"""Law 2 on a line that is neither up nor down: a broker that hangs, one that only takes calls, late and lost packets."""

from __future__ import annotations

import signal
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.system import bad_line
from tests.system.bad_line import BadLine
from tests.system.one_door import DEADLINE_SECONDS, MACHINE_SECONDS, OneDoor, unacknowledged
from tests.system.processes import wait_for

DELAY_SECONDS, LOSS, TAPS = 0.3, 0.2, 3


def waited(hub: OneDoor) -> float:
    """Tap; return after how many seconds the door opened, once it is locked again."""
    since = hub.tap()
    opened = hub.opens(since).at - since
    hub.relocks(since)
    return opened


def test_a_broker_that_hangs_delays_one_answer_and_keeps_no_door_from_starting(hub: OneDoor) -> None:
    """It is stopped in mid-session, its port still takes calls: one tap waits for its deadline, the next for nothing; a door
    that starts against it opens as it should; when it goes on, all of it arrives, once."""
    before, broker = len(hub.desk.taps()), hub.building.child("broker").process
    broker.send_signal(signal.SIGSTOP)
    try:
        first, second = waited(hub), waited(hub)
        hub.door.kill()
        hub.door.start()
        anew = waited(hub)
    finally:
        broker.send_signal(signal.SIGCONT)
    assert DEADLINE_SECONDS <= first < DEADLINE_SECONDS + MACHINE_SECONDS
    assert second < DEADLINE_SECONDS
    assert anew < DEADLINE_SECONDS + MACHINE_SECONDS
    assert [(tap.granted, tap.decided_by) for tap in hub.arrived(before, 3)] == [(True, "door")] * 3


@contextmanager
def mute_broker(hub: OneDoor) -> Iterator[list[bytes]]:
    """In the broker's place, with its certificate, one that takes every call and every word, and says none; what it heard."""
    context, heard, calls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), list[bytes](), list[socket.socket]()
    folder = hub.building.state / "broker"
    context.load_cert_chain(folder / "broker.pem", folder / "broker.key")

    def take(connection: socket.socket) -> None:
        with suppress(OSError), context.wrap_socket(connection, server_side=True) as line:
            while words := line.recv(4096):
                heard.append(words)

    def take_all() -> None:
        with suppress(OSError):
            while True:
                calls.append(server.accept()[0])
                threading.Thread(target=take, args=(calls[-1].dup(),), daemon=True).start()

    with socket.create_server(("127.0.0.1", hub.building.broker_port)) as server:
        threading.Thread(target=take_all, daemon=True).start()
        yield heard
        server.shutdown(socket.SHUT_RDWR)
        for call in calls:
            with suppress(OSError):
                call.shutdown(socket.SHUT_RDWR)
            call.close()


@pytest.mark.soak
def test_a_broker_that_takes_calls_and_says_nothing_is_none(hub: OneDoor) -> None:
    """While the door waits for the first word of it, taps are answered at once; once there is a real one they arrive, once."""
    before = len(hub.desk.taps())
    hub.building.cut_broker()
    with mute_broker(hub) as heard:
        wait_for(lambda: any(b"MQTT" in words and b"front" in words for words in heard), "the door calls", limit_seconds=15)
        assert waited(hub) < DEADLINE_SECONDS
    hub.building.restore_broker()
    assert [(tap.granted, tap.decided_by) for tap in hub.arrived(before, 1)] == [(True, "door")]


@pytest.mark.skipif(bool(bad_line.why_not()), reason=bad_line.why_not() or "")
@pytest.mark.parametrize("taps", [TAPS, pytest.param(300, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])])
def test_on_a_line_that_is_late_and_loses_a_fifth_every_tap_is_answered_in_time_and_arrives_once(
    hub: OneDoor, taps: int
) -> None:
    """Packets are 300 ms late and every fifth is lost, both ways: no answer of the server comes in time, so the door's own
    stands, within the deadline; every event gets through all the same, once, and in the end the server has them all."""
    hub.door.stop()
    with BadLine(hub.building.broker_port) as line:
        hub.door.use(line.plug.port)
        line.inside(hub.door.start)
        hub.ready()
        before = len(hub.desk.taps(limit=10_000))
        line.worsen(delay_seconds=DELAY_SECONDS, loss=LOSS)
        for _ in range(taps):
            since = hub.tap()
            answer = wait_for(lambda: hub.door.pins.rises("granted", since), "an answer")[0]  # noqa: B023
            assert answer.at - since < DEADLINE_SECONDS + MACHINE_SECONDS
        wait_for(lambda: not unacknowledged(hub.door), "all arrives", limit_seconds=60 + taps)
        arrived = hub.desk.taps(limit=10_000)[: len(hub.desk.taps(limit=10_000)) - before]
        hub.door.stop()
    hub.door.use(hub.door.plug.port)
    hub.door.start()
    assert [(tap.granted, tap.decided_by) for tap in arrived] == [(True, "door")] * taps
