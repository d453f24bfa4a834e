# SPDX-License-Identifier: AGPL-3.0-or-later
"""The server's secrets, in files outside the database: what seals tag numbers, signs the server's word, and opens asks.

What signs and opens comes in pairs, so that it can be changed while doors are away (rotating.py). A copy of the database alone
tells no tag number and opens no door. Nothing here ever writes a secret to a log or a page.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import shutil
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from access_contract.vocabulary import TagNumber
from booking_server.config import BadConfiguration

_KEY_BYTES = 32
_NONCE_BYTES = 12
_PAIR = ("signing.key", "sealing.key")
_FILES = ("vault.key", "index.key", "session.key")
ROTATION = "rotation.json"
_REPLACEABLE = "session.key"
"""Lost, it only ends every session; each of the others is a loss that a backup must mend."""


class Unreadable(ValueError):
    """Sealed bytes that were not sealed with this vault's key, or about something else."""


@dataclass(frozen=True, slots=True)
class Vault:
    """Seals what the database holds (ChaCha20-Poly1305, RFC 8439) and finds tag numbers without reading them (HMAC-SHA256)."""

    _seal_key: bytes = field(repr=False)
    _index_key: bytes = field(repr=False)

    def seal(self, plain: bytes, *, about: str) -> bytes:
        """Return `plain` sealed, to be opened only as being `about` the same thing."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + ChaCha20Poly1305(self._seal_key).encrypt(nonce, plain, about.encode())

    def unseal(self, sealed: bytes, *, about: str) -> bytes:
        """Return what was sealed. Raise Unreadable."""
        try:
            nonce, content = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
            return ChaCha20Poly1305(self._seal_key).decrypt(nonce, content, about.encode())
        except (InvalidTag, ValueError):
            raise Unreadable(f"what is kept about {about} cannot be read with this server's key") from None

    def index(self, number: TagNumber) -> str:
        """Return the 64 hex digits under which a number is found again; they tell nothing without the key."""
        return hmac.new(self._index_key, b"tag-index\x00" + number.uid, hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Pair:
    """What signs the server's word and opens asks. `id` and `sealing_id` name the two on the wire."""

    id: str
    sealing_id: str
    signing: Ed25519PrivateKey = field(repr=False)
    sealing: X25519PrivateKey = field(repr=False)


class Rotation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """In which folder below keys/ each pair lies. The next is announced and signs nothing yet; the old one speaks to doors that
    hold no other. `number` grows with every step."""

    current: str = "."
    next: str | None = None
    old: str | None = None
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """All of the server's secrets. `number` is that of the rotation's last step."""

    vault: Vault
    current: Pair
    next: Pair | None = None
    old: Pair | None = None
    number: int = 0
    session_secret: bytes = field(repr=False)

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Return every pair that is kept, the current one first."""
        return tuple(pair for pair in (self.current, self.next, self.old) if pair is not None)

    @property
    def public(self) -> dict[str, Ed25519PublicKey]:
        """Return what a door is to believe, by key id."""
        return {pair.id: pair.signing.public_key() for pair in self.pairs}

    @property
    def known_keys(self) -> frozenset[str]:
        """Return the ids that a door reports which holds all that it should."""
        return frozenset({*self.public, self.current.sealing_id})

    @property
    def openers(self) -> tuple[X25519PrivateKey, ...]:
        """Return what opens asks and captured numbers, the likeliest first."""
        return tuple(pair.sealing for pair in self.pairs)

    def speaking_to(self, known: Collection[str]) -> Pair:
        """Return the pair whose word a door believes that holds these keys: the current one, unless it only has the old."""
        if self.old is not None and self.old.id in known and self.current.id not in known:
            return self.old
        return self.current


def make_keys(folder: Path) -> Keys:
    """Make the keys of a new hub below `folder` (the state folder), or keep those that are there, and return them.

    Raise BadConfiguration where only some are there: a new key beside the others would read nothing that was sealed before.
    """
    keys = folder / "keys"
    if not keys.exists():
        keys.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = keys.with_name("keys.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        for name in (*_FILES, *_PAIR):
            _write_secret(fresh / name, secrets.token_bytes(_KEY_BYTES))
        fresh.rename(keys)
    if not (keys / _REPLACEABLE).exists():
        _write_secret(keys / _REPLACEABLE, secrets.token_bytes(_KEY_BYTES))
    return load_keys(folder)


def load_keys(folder: Path) -> Keys:
    """Return the keys below `folder`. Raise BadConfiguration naming the file that is missing or damaged."""
    keys = folder / "keys"
    content = {name: _read_secret(keys / name) for name in _FILES}
    stands = rotation(keys)
    return Keys(
        vault=Vault(content["vault.key"], content["index.key"]),
        current=_pair(keys / stands.current),
        next=None if stands.next is None else _pair(keys / stands.next),
        old=None if stands.old is None else _pair(keys / stands.old),
        number=stands.number,
        session_secret=content["session.key"],
    )


def rotation(keys: Path) -> Rotation:
    """Return how far the rotation in the folder `keys` is; before the first, the pair that `init` made is the current one."""
    file = keys / ROTATION
    try:
        return msgspec.json.decode(file.read_bytes(), type=Rotation)
    except FileNotFoundError:
        return Rotation()
    except (OSError, msgspec.DecodeError) as error:
        raise BadConfiguration(f"{file}: cannot be read ({error}); put it back from your backup") from None


def make_pair(folder: Path) -> Pair:
    """Write a new pair into `folder`, which must not be there yet, and return it."""
    folder.mkdir(mode=0o700)
    for name in _PAIR:
        _write_secret(folder / name, secrets.token_bytes(_KEY_BYTES))
    return _pair(folder)


def remove_pair(folder: Path) -> None:
    """Delete the pair in `folder`, and the folder if nothing else lies there."""
    for name in _PAIR:
        (folder / name).unlink(missing_ok=True)
    if folder.exists() and not any(folder.iterdir()):
        folder.rmdir()


def _pair(folder: Path) -> Pair:
    signing_bytes, sealing_bytes = (_read_secret(folder / name) for name in _PAIR)
    signing = Ed25519PrivateKey.from_private_bytes(signing_bytes)
    sealing = X25519PrivateKey.from_private_bytes(sealing_bytes)
    return Pair(
        id=f"k{_short(signing.public_key().public_bytes_raw())}",
        sealing_id=f"s{_short(sealing.public_key().public_bytes_raw())}",
        signing=signing,
        sealing=sealing,
    )


def _short(public: bytes) -> str:
    return hashlib.sha256(public).hexdigest()[:8]


def _read_secret(file: Path) -> bytes:
    try:
        content = file.read_bytes()
    except OSError as error:
        advice = "put it back from your backup" if file.parent.exists() else "make the keys with: booking-server init"
        if isinstance(error, PermissionError):
            advice = "run this as the user to whom state_folder belongs"
        raise BadConfiguration(f"{file}: the key cannot be read ({error.strerror}); {advice}") from None
    if len(content) != _KEY_BYTES:
        raise BadConfiguration(
            f"{file}: the key has {len(content)} bytes instead of {_KEY_BYTES}; put it back from your backup"
        )
    return content


def _write_secret(file: Path, content: bytes) -> None:
    """Whole or not at all, and readable by nobody else: a key half written would lock out every door."""
    beside = file.with_suffix(".new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    beside.replace(file)
