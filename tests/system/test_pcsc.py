# SPDX-License-Identifier: AGPL-3.0-or-later
"""The card room: a real pcscd of our own, read as a door reads it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.system import pcsc
from tests.system.processes import NotReady

READ_ONE = """
import sys
from smartcard.scard import *
rv, context = SCardEstablishContext(SCARD_SCOPE_SYSTEM)
assert rv == 0, hex(rv)
state = [(sys.argv[1], SCARD_STATE_EMPTY)]
while True:
    rv, out = SCardGetStatusChange(context, 5000, state)
    assert rv == 0, hex(rv & 0xFFFFFFFF)
    if out[0][1] & SCARD_STATE_PRESENT:
        break
rv, card, protocol = SCardConnect(context, sys.argv[1], SCARD_SHARE_SHARED, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1)
rv, reply = SCardTransmit(card, protocol, [0xFF, 0xCA, 0, 0, 0])
print(bytes(reply).hex())
"""


@pytest.fixture(scope="module")
def _room() -> None:
    if reason := pcsc.why_not():
        pytest.skip(reason)


@pytest.mark.usefixtures("_room")
def test_each_reader_reads_its_own_card() -> None:
    """A card tapped on one of two readers is read there, whole, by the real daemon; tapping returns once it was."""
    with tempfile.TemporaryDirectory(prefix="hubkey-") as folder, pcsc.CardRoom(Path(folder), ["front", "shop"]) as room:
        for name, uid in (("front", "04782e21801d80"), ("shop", "de10bb77")):
            reader = subprocess.Popen(
                [sys.executable, "-c", READ_ONE, room.reader(name)],
                stdout=subprocess.PIPE,
                text=True,
                env=room.environment,
            )
            room.tap(name, bytes.fromhex(uid))
            assert reader.communicate(timeout=10)[0].strip() == uid + "9000"


@pytest.mark.usefixtures("_room")
def test_a_card_that_nobody_reads_is_told() -> None:
    """A tap that no door reads is an error and not a silence."""
    with (
        tempfile.TemporaryDirectory(prefix="hubkey-") as folder,
        pcsc.CardRoom(Path(folder), ["front"]) as room,
        pytest.raises(NotReady, match="nobody read"),
    ):
        room.tap("front", bytes.fromhex("04782e21801d80"))
