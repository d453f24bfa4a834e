# SPDX-License-Identifier: AGPL-3.0-or-later
"""One file that only the holder of an offline key can read: a compressed tar inside age, written and read as a stream.

Nothing of the tar lies on the disk unsealed. What is cut short, changed or sealed to another key is found out, and said in one
line.
"""

from __future__ import annotations

import gzip
import os
import tarfile
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import pyrage

from booking_server.errors import BookingServerError

_COMPRESSION = 6


class BackupError(BookingServerError):
    """A backup that cannot be made or read; the message says which and why, in one line."""


def seal(folder: Path, members: list[str], to: Path, recipient: str) -> None:
    """Write these files of `folder`, in this order, sealed to `recipient` (age1...), into `to`; on the disk when it returns.

    Raise BackupError, with nothing left under `to`.
    """
    try:
        with open(to, "xb", opener=_secretly) as out:
            with _piped(lambda pipe: _pack(folder, members, pipe)) as packed:
                pyrage.encrypt_io(packed, _Unbuffered(out), [pyrage.x25519.Recipient.from_str(recipient)])
            out.flush()
            os.fsync(out.fileno())
    except BaseException as error:
        to.unlink(missing_ok=True)
        if isinstance(error, (OSError, pyrage.EncryptError)):
            raise BackupError("{file}: the backup cannot be written ({why})", file=str(to.parent), why=_why(error)) from None
        raise


@contextmanager
def opened(sealed: IO[bytes], name: str, identity: str) -> Iterator[tarfile.TarFile]:
    """Open a backup to be read once, from where `sealed` stands. Raise BackupError: no backup, damaged, not for this key.

    Only after the whole was read without an error, leaving included, is it known to be whole.
    """
    keys = [_identity(line) for line in identity.splitlines() if line.strip() and not line.startswith("#")]
    if not keys:
        raise BackupError("the identity file holds no key; it has one line that begins with AGE-SECRET-KEY-1")
    try:
        with _piped(lambda pipe: pyrage.decrypt_io(sealed, pipe, keys)) as content:
            with tarfile.open(fileobj=content, mode="r|gz") as tar:
                yield tar
            while content.read(65536):
                pass
    except pyrage.DecryptError as error:
        why = "it is not sealed to this key" if "key" in str(error).lower() else "it is no backup, or its beginning is damaged"
        raise BackupError("{file}: {why}", file=name, why=why) from None
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk's; age and gzip tell no number
            raise
        raise BackupError("{file}: is damaged or cut short; take another backup", file=name) from None


def _identity(line: str) -> pyrage.x25519.Identity:
    try:
        return pyrage.x25519.Identity.from_str(line.strip())
    except pyrage.IdentityError:
        raise BackupError("the identity file holds a line that is no key (AGE-SECRET-KEY-1...)") from None


def _pack(folder: Path, members: list[str], pipe: IO[bytes]) -> None:
    with (
        gzip.GzipFile(fileobj=pipe, mode="wb", compresslevel=_COMPRESSION) as packed,
        tarfile.open(fileobj=packed, mode="w|") as tar,
    ):
        for name in members:
            info = tar.gettarinfo(folder / name, arcname=name)
            info.uid = info.gid = 0
            info.uname = info.gname = ""
            with (folder / name).open("rb") as content:
                tar.addfile(info, content)


@contextmanager
def _piped(work: Callable[[IO[bytes]], None]) -> Iterator[IO[bytes]]:
    """Hand out the reading end of a pipe that `work` fills in a thread of its own; its error counts before any other."""
    reading, writing = os.pipe()
    failed: list[BaseException] = []

    def fill() -> None:
        try:
            with os.fdopen(writing, "wb") as pipe:
                work(pipe)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=fill, name="packing", daemon=True)
    with os.fdopen(reading, "rb") as content:
        thread.start()
        try:
            yield content
            while content.read(65536):
                pass
        except BaseException as error:
            content.close()
            thread.join()
            if failed and isinstance(error, (tarfile.TarError, zlib.error, EOFError)):
                raise failed[0] from None
            raise
    thread.join()
    if failed:
        raise failed[0]


class _Unbuffered:
    """Gives pyrage the file's own errors: it swallows those of a buffer."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out

    def write(self, content: bytes) -> int:
        return self._out.write(content)

    def flush(self) -> None:
        self._out.flush()


def _secretly(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def _why(error: Any) -> str:
    text = str(getattr(error, "strerror", None) or error)
    with suppress(ValueError):
        text = text[text.index("] ") + 2 :]
    return text


def make_key() -> tuple[str, str]:
    """Return a new key: what opens backups (to be kept elsewhere), and what they are sealed to."""
    made = pyrage.x25519.Identity.generate()
    return str(made), str(made.to_public())
