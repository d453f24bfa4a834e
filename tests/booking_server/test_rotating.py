# SPDX-License-Identifier: AGPL-3.0-or-later
"""Do the server's keys change step by step, with nothing lost whenever it is killed, and is the old key gone at the end?"""

from __future__ import annotations

import os
import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest

from access_contract.sealing import Unsealable, seal_number
from access_contract.vocabulary import DoorId
from booking_server import rotating
from booking_server.config import BadConfiguration
from booking_server.doors.answering import unsealed
from booking_server.keys import Keys, load_keys, make_keys
from tests.booking_server.hub import NOW, TAG

STEPS = (rotating.make_next, rotating.sign_by_next, rotating.drop_old)
FRONT = DoorId("front")
ABOUT = "ask:1"


def _opens(keys: Keys, sealed: bytes) -> bool:
    try:
        return unsealed(sealed, door=FRONT, about=ABOUT, openers=keys.openers) == TAG
    except Unsealable:
        return False


def _sealed_to(keys: Keys) -> bytes:
    return seal_number(TAG, door=FRONT, about=ABOUT, server_key=keys.current.sealing.public_key())


def test_three_steps_change_the_keys_and_forget_the_old(tmp_path: Path) -> None:
    """Announced, then signing, then alone; what was sealed to the old key is read until that is dropped; the vault stays."""
    first = make_keys(tmp_path)
    sealed, kept = _sealed_to(first), first.vault.seal(b"secret", about=ABOUT)
    made, changed, dropped = (step(tmp_path, now=NOW) for step in STEPS)
    assert (made.current.id, made.old) == (first.current.id, None)
    assert made.next is not None
    assert set(made.public) == {first.current.id, made.next.id}
    assert made.known_keys == {*made.public, first.current.sealing_id}
    assert changed.old is not None
    assert (changed.current.id, changed.old.id, changed.next) == (made.next.id, first.current.id, None)
    assert (dropped.current.id, dropped.old, dropped.next) == (made.next.id, None, None)
    assert [_opens(keys, sealed) for keys in (made, changed, dropped)] == [True, True, False]
    assert dropped.vault.unseal(kept, about=ABOUT) == b"secret"
    assert first.number < made.number < changed.number < dropped.number
    assert make_keys(tmp_path).current.id == made.next.id


def test_no_private_key_is_left_of_what_was_dropped(tmp_path: Path) -> None:
    """After two whole rotations one pair is on the disk, readable by its owner alone."""
    make_keys(tmp_path)
    for step in (*STEPS, *STEPS):
        step(tmp_path, now=NOW)
    pairs = [file for name in ("signing.key", "sealing.key") for file in (tmp_path / "keys").rglob(name)]
    assert len(pairs) == 2
    assert {file.stat().st_mode & 0o777 for file in pairs} == {0o600}


def test_a_step_made_twice_is_made_once(tmp_path: Path) -> None:
    """Two commands beside each other make no two next keys, and none is dropped that still signs."""
    make_keys(tmp_path)
    assert rotating.sign_by_next(tmp_path, now=NOW).number == rotating.drop_old(tmp_path, now=NOW).number == 0
    made = rotating.make_next(tmp_path, now=NOW)
    assert rotating.make_next(tmp_path, now=NOW).number == made.number
    changed = rotating.sign_by_next(tmp_path, now=NOW)
    assert rotating.make_next(tmp_path, now=NOW + timedelta(days=1)).number == changed.number


def test_the_old_pair_speaks_only_to_a_door_that_holds_no_other(tmp_path: Path) -> None:
    """A door that lagged is caught up; one that says nothing of its keys is spoken to by the current one."""
    make_keys(tmp_path)
    rotating.make_next(tmp_path, now=NOW)
    keys = rotating.sign_by_next(tmp_path, now=NOW)
    assert keys.old is not None
    assert keys.speaking_to([keys.old.id]) == keys.old
    assert keys.speaking_to([keys.old.id, keys.current.id]) == keys.speaking_to([]) == keys.current


def test_a_running_process_takes_each_step_on(tmp_path: Path) -> None:
    """Without a restart, once for each step; a folder that cannot be read leaves it with what it has."""
    make_keys(tmp_path)
    running = rotating.Keyring(tmp_path)
    assert not running.refresh()
    for step in STEPS:
        made = step(tmp_path, now=NOW)
        assert running.refresh()
        assert running.keys.known_keys == made.known_keys
        assert not running.refresh()
    (tmp_path / "keys" / "rotation.json").write_bytes(b"{")
    assert not running.refresh()
    assert running.keys.known_keys == made.known_keys


def test_a_damaged_rotation_is_named_with_what_to_do(tmp_path: Path) -> None:
    """Never taken for a hub that did not rotate yet: it would sign by a key that doors have dropped."""
    make_keys(tmp_path)
    rotating.make_next(tmp_path, now=NOW)
    (tmp_path / "keys" / "rotation.json").write_bytes(b"")
    with pytest.raises(BadConfiguration, match=r"rotation\.json: cannot be read .* backup"):
        load_keys(tmp_path)


def _killed(folder: Path, after_seconds: float) -> None:
    """Make steps without end in a child, and kill it after a while."""
    child = os.fork()
    if child == 0:
        while True:
            for step in STEPS:
                step(folder, now=NOW)
    time.sleep(after_seconds)  # how far it is by then is what chance decides
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


@pytest.mark.parametrize("times", [25, pytest.param(1000, marks=pytest.mark.soak)])
def test_killed_at_any_moment_the_keys_are_whole(tmp_path: Path, times: int) -> None:
    """kill -9 between any two writes: every key that doors may rely on is there, and the next step goes on from it."""
    make_keys(tmp_path)
    number = 0
    for attempt in range(times):
        _killed(tmp_path, 0.004 + attempt % 25 * 0.0017)
        keys = load_keys(tmp_path)
        assert keys.number >= number
        assert keys.next is None or keys.old is None
        assert _opens(keys, _sealed_to(keys))
        number = keys.number
    assert number > 0
