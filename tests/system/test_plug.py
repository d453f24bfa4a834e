# SPDX-License-Identifier: AGPL-3.0-or-later
"""The network plug: what it does to a connection when it is in, pulled, silent and back."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from threading import Thread

import pytest

from tests.system.plug import Plug, Plugs


def _echo(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        Thread(target=_repeat, args=(connection,), daemon=True).start()


def _repeat(connection: socket.socket) -> None:
    with connection:
        try:
            while data := connection.recv(4096):
                connection.sendall(data)
        except OSError:
            return


@pytest.fixture
def plug() -> Iterator[Plug]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=_echo, args=(listener,), daemon=True).start()
        plugs = Plugs()
        yield plugs.plug(listener.getsockname()[1])
        plugs.close()
        listener.shutdown(socket.SHUT_RDWR)


def _call(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=3)


def _says(connection: socket.socket, word: bytes) -> bytes:
    connection.sendall(word)
    return connection.recv(100)


def _is_cut(connection: socket.socket) -> bool:
    try:
        return connection.recv(100) == b""
    except ConnectionError:
        return True


def test_a_pulled_plug_cuts_and_refuses_until_it_is_back(plug: Plug) -> None:
    """Pulling ends open connections and refuses new ones; put back, the same port carries again."""
    with _call(plug.port) as connection:
        assert _says(connection, b"one") == b"one"
        plug.pull()
        assert _is_cut(connection)
    with pytest.raises(ConnectionRefusedError):
        _call(plug.port)
    plug.put_back()
    with _call(plug.port) as connection:
        assert _says(connection, b"two") == b"two"


def test_a_silent_plug_carries_nothing_and_loses_nothing(plug: Plug) -> None:
    """Silent, a connection stays and is mute; put back, what was said meanwhile arrives."""
    with _call(plug.port) as connection:
        assert _says(connection, b"one") == b"one"
        plug.silence()
        connection.sendall(b"two")
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(100)
        connection.settimeout(3)
        plug.put_back()
        assert connection.recv(100) == b"two"
