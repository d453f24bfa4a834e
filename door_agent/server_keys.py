# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which of the server's keys this door believes: those of its settings, until a word signed by one of them told of others.

What was told is believed once it is on the disk. The last key is never dropped: one of the new ones is one that is held. New
files for the door, naming other keys, begin anew.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from access_contract import messages
from door_agent.durable import write_durably
from door_agent.files import Keys

KEYS_MAX = 8


class BadKeys(ValueError):
    """Keys that this door must not take on."""


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What was told, and the key ids that the settings named then."""

    configured: list[str]
    told: messages.ServerKeys


class ServerKeys:
    """The keys that are held. `trouble` says why what was kept could not be read, or is None."""

    def __init__(self, file: Path, configured: Keys) -> None:
        self.trouble: str | None = None
        self._file, self._configured = file, sorted(configured.signing)
        self._held = (configured, 0, self._configured)
        kept = self._kept()
        if kept is not None and kept.configured == self._configured:
            self.hold(kept.told)

    @property
    def signing(self) -> dict[str, Ed25519PublicKey]:
        """Return what signs the server's word, by key id."""
        return self._held[0].signing

    @property
    def sealing(self) -> X25519PublicKey:
        """Return what tag numbers are sealed to."""
        return self._held[0].sealing

    @property
    def known(self) -> list[str]:
        """Return the ids of the keys held; of a sealing key that only the settings named, none is known."""
        return self._held[2]

    def judge(self, told: messages.ServerKeys) -> None:
        """Raise BadKeys unless these may be taken on: not older, whole, and one signing key is one that is held."""
        keys = _keys(told)
        if told.number < self._held[1]:
            raise BadKeys("older than what is held")
        known = {key_id: _raw(key) for key_id, key in self.signing.items()}
        new = {key_id: _raw(key) for key_id, key in keys.signing.items()}
        if not any(known.get(key_id) == key for key_id, key in new.items()):
            raise BadKeys("none of them is held")

    def keep(self, told: messages.ServerKeys) -> str | None:
        """Put them on the disk; from any one thread. Return the trouble, or None."""
        try:
            self._file.parent.mkdir(exist_ok=True)
            write_durably(self._file, msgspec.json.encode(_Kept(configured=self._configured, told=told)))
        except OSError as error:
            return f"{self._file}: {error.strerror}"
        return None

    def hold(self, told: messages.ServerKeys) -> None:
        """Believe these, and no others, from now on."""
        self._held = (_keys(told), told.number, sorted([*told.signing, told.sealing_id]))

    def _kept(self) -> _Kept | None:
        try:
            kept = msgspec.json.decode(self._file.read_bytes(), type=_Kept)
            _keys(kept.told)
        except FileNotFoundError:
            return None
        except OSError as error:
            self.trouble = f"{self._file}: {error.strerror}"
            return None
        except (msgspec.DecodeError, UnicodeDecodeError, BadKeys):
            self.trouble = f"{self._file}: is damaged"
            return None
        return kept


def _keys(told: messages.ServerKeys) -> Keys:
    if not 1 <= len(told.signing) <= KEYS_MAX:
        raise BadKeys("not a number of keys to hold")
    try:
        signing = {key_id: Ed25519PublicKey.from_public_bytes(raw) for key_id, raw in told.signing.items()}
        return Keys(signing=signing, sealing=X25519PublicKey.from_public_bytes(told.sealing))
    except ValueError:
        raise BadKeys("not all of them are keys") from None


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes_raw()
