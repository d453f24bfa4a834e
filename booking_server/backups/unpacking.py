# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reads a backup into a folder of its own, and believes nothing: only what its manifest names, plain files, each by its hash.

It never writes outside that folder, whatever the file says.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

import msgspec
from alembic.script import ScriptDirectory

from booking_server import schema
from booking_server.backups.collecting import FORMAT, MANIFEST, SETTINGS, Manifest
from booking_server.backups.sealing import BackupError, opened

_MANIFEST_BYTES_MAX, _SETTINGS_BYTES_MAX = 64 * 2**20, 2**20


@dataclass(frozen=True, slots=True)
class Sealed:
    """A backup file, open at its beginning, its name for people, and what opens it."""

    content: IO[bytes]
    name: str
    identity: str


def look_into(sealed: Sealed) -> tuple[Manifest, bytes]:
    """Return what a backup says of itself, and its settings, once the whole was read. Raise BackupError."""
    sealed.content.seek(0)
    with opened(sealed.content, sealed.name, sealed.identity) as tar:
        manifest = _manifest(tar, sealed.name)
        settings = b""
        while (member := tar.next()) is not None:
            if member.name == SETTINGS and member.size <= _SETTINGS_BYTES_MAX:
                settings = _content(tar, member, sealed.name).read()
                break
    _check_version(manifest, sealed.name)
    if SETTINGS not in manifest.files or hashlib.sha256(settings).hexdigest() != manifest.files[SETTINGS].sha256:
        raise _damaged(sealed.name)
    return manifest, settings


def unpack(sealed: Sealed, folder: Path) -> Manifest:
    """Write all files of a backup below `folder`, each checked. Raise BackupError; OSError. The caller removes what is half."""
    sealed.content.seek(0)
    with opened(sealed.content, sealed.name, sealed.identity) as tar:
        manifest = _manifest(tar, sealed.name)
        missing = set(manifest.files)
        while (member := tar.next()) is not None:
            if member.name not in missing or not is_safe(member.name):
                raise _damaged(sealed.name)
            _write(tar, member, folder, manifest, sealed.name)
            missing.remove(member.name)
    if missing:
        raise _damaged(sealed.name)
    return manifest


def is_safe(name: str) -> bool:
    """True for a name that stays below the folder it is unpacked into."""
    parts = PurePosixPath(name).parts
    return bool(parts) and not name.startswith("/") and ".." not in parts and "\0" not in name and "\\" not in name


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, manifest: Manifest, name: str) -> None:
    to, told, digest = folder / member.name, manifest.files[member.name], hashlib.sha256()
    to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = _content(tar, member, name)
    with open(to, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
        while piece := content.read(2**20):
            digest.update(piece)
            out.write(piece)
    if digest.hexdigest() != told.sha256:
        raise _damaged(name)
    to.chmod(told.mode & 0o755 | 0o600)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo, name: str) -> IO[bytes]:
    found = tar.extractfile(member) if member.isreg() else None
    if found is None:
        raise _damaged(name)
    return found


def _manifest(tar: tarfile.TarFile, name: str) -> Manifest:
    first = tar.next()
    if first is None or first.name != MANIFEST or first.size > _MANIFEST_BYTES_MAX:
        raise _damaged(name)
    content = _content(tar, first, name).read()
    try:
        found = msgspec.json.decode(content, type=dict[str, object]).get("format")
        if found != FORMAT:
            raise BackupError(
                "{file}: is of another kind ({found}); restore it by the version that made it", file=name, found=found
            )
        return msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _damaged(name) from None


def _check_version(manifest: Manifest, name: str) -> None:
    known = {one.revision for one in ScriptDirectory(str(schema.MIGRATIONS)).walk_revisions()}
    if manifest.schema not in known:
        raise BackupError(
            "{file}: was made by version {version}, whose database this version does not know; install that one, or a newer",
            file=name,
            version=manifest.version,
        )


def _damaged(name: str) -> BackupError:
    return BackupError("{file}: is damaged; take another backup", file=name)
