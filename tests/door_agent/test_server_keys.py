# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which of the server's keys does a door believe, and can it be talked out of its last one?"""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from access_contract import messages
from door_agent.files import Keys
from door_agent.server_keys import KEYS_MAX, BadKeys, ServerKeys

SIGNING = {name: Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32).public_key() for number, name in enumerate("abc")}
SEALING = X25519PrivateKey.from_private_bytes(b"s" * 32).public_key()
NEXT_SEALING = X25519PrivateKey.from_private_bytes(b"t" * 32).public_key()


def _told(names: str, number: int = 1, **more: object) -> messages.ServerKeys:
    values: dict[str, object] = {
        "number": number,
        "signing": {name: SIGNING[name].public_bytes_raw() for name in names},
        "sealing_id": "s2",
        "sealing": NEXT_SEALING.public_bytes_raw(),
    }
    return messages.ServerKeys(**{**values, **more})  # type: ignore[arg-type]


def _door(folder: Path, configured: str = "a") -> ServerKeys:
    settings = Keys(signing={name: SIGNING[name] for name in configured}, sealing=SEALING)
    return ServerKeys(folder / "keys" / "server.json", settings)


def _take_on(door: ServerKeys, told: messages.ServerKeys) -> None:
    door.judge(told)
    assert door.keep(told) is None
    door.hold(told)


def test_what_was_told_outlasts_a_restart_and_drops_the_rest(tmp_path: Path) -> None:
    """Old and next, then the next alone; after each the same agent and one started anew believe the same."""
    door = _door(tmp_path)
    assert (list(door.signing), door.known, door.sealing) == (["a"], ["a"], SEALING)
    for number, names in enumerate(("ab", "b"), 1):
        _take_on(door, _told(names, number))
        for one in (door, _door(tmp_path)):
            assert (set(one.signing), one.known) == (set(names), sorted([*names, "s2"]))
            assert one.sealing.public_bytes_raw() == NEXT_SEALING.public_bytes_raw()


@pytest.mark.parametrize(
    "told",
    [
        _told("b"),
        _told(""),
        _told("a", signing={"a": SIGNING["b"].public_bytes_raw()}),
        _told("a", signing={"a": b"short"}),
        _told("a", sealing=b"short"),
        _told("a", signing={f"a{n}": bytes([n]) * 32 for n in range(KEYS_MAX)} | {"a": SIGNING["a"].public_bytes_raw()}),
    ],
    ids=["strangers only", "none", "another under a held id", "no key", "no sealing key", "too many"],
)
def test_a_door_is_never_talked_out_of_its_last_key(tmp_path: Path, told: messages.ServerKeys) -> None:
    """Whatever is told, signed or not: without a key that is held, whole and real, nothing is taken on."""
    door = _door(tmp_path)
    with pytest.raises(BadKeys):
        door.judge(told)
    assert door.known == ["a"]


def test_an_older_word_brings_a_dropped_key_not_back(tmp_path: Path) -> None:
    """Said again by a broker, what was true during a rotation changes nothing after it, over a restart too."""
    door = _door(tmp_path)
    during, after = _told("ab", 7), _told("b", 8)
    _take_on(door, during)
    _take_on(door, after)
    for one in (door, _door(tmp_path)):
        with pytest.raises(BadKeys):
            one.judge(during)
        one.judge(after)


def test_new_files_for_the_door_begin_anew(tmp_path: Path) -> None:
    """A box that is given files of another key believes those, not what an earlier server told it."""
    _take_on(_door(tmp_path), _told("ab"))
    assert _door(tmp_path, configured="c").known == ["c"]
    assert _door(tmp_path).known == ["a", "b", "s2"]


def test_what_was_kept_and_is_damaged_is_said(tmp_path: Path) -> None:
    """The door goes on with the keys that its settings name, and says that it lost the others."""
    _take_on(_door(tmp_path), _told("ab"))
    (tmp_path / "keys" / "server.json").write_bytes(b'{"told":')
    door = _door(tmp_path)
    assert door.known == ["a"]
    assert "is damaged" in str(door.trouble)
    assert _door(tmp_path / "other").trouble is None


def test_what_the_disk_refuses_is_told_and_not_believed(tmp_path: Path) -> None:
    """A key that would be forgotten at the next power cut is not reported as known."""
    (tmp_path / "keys").write_bytes(b"in the way")
    door = _door(tmp_path)
    door.judge(_told("ab"))
    assert "server.json" in str(door.keep(_told("ab")))
    assert door.known == ["a"]
