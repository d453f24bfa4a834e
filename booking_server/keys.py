# SPDX-License-Identifier: AGPL-3.0-or-later
"""The server's secrets, in files outside the database: what seals tag numbers, signs the server's word, and opens asks.

A copy of the database alone tells no tag number and opens no door. Nothing here ever writes a secret to a log or a page.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from access_contract.vocabulary import TagNumber
from booking_server.config import BadConfiguration

_KEY_BYTES = 32
_NONCE_BYTES = 12
_FILES = ("vault.key", "index.key", "signing.key", "sealing.key", "session.key")
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
class Keys:
    """All of the server's secrets. `signing_id` names the signing key on the wire."""

    vault: Vault
    signing_id: str
    signing: Ed25519PrivateKey = field(repr=False)
    sealing: X25519PrivateKey = field(repr=False)
    session_secret: bytes = field(repr=False)


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
        for name in _FILES:
            _write_secret(fresh / name, secrets.token_bytes(_KEY_BYTES))
        fresh.rename(keys)
    if not (keys / _REPLACEABLE).exists():
        _write_secret(keys / _REPLACEABLE, secrets.token_bytes(_KEY_BYTES))
    return load_keys(folder)


def load_keys(folder: Path) -> Keys:
    """Return the keys below `folder`. Raise BadConfiguration naming the file that is missing or damaged."""
    content = {name: _read_secret(folder / "keys" / name) for name in _FILES}
    signing = Ed25519PrivateKey.from_private_bytes(content["signing.key"])
    return Keys(
        vault=Vault(content["vault.key"], content["index.key"]),
        signing_id="k" + hashlib.sha256(signing.public_key().public_bytes_raw()).hexdigest()[:8],
        signing=signing,
        sealing=X25519PrivateKey.from_private_bytes(content["sealing.key"]),
        session_secret=content["session.key"],
    )


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
