# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who this box is, once it was enrolled: certificate, keys and where the hub is, in `identity` below the state folder.

`identity` is a link that moves from one whole folder to the next one, which is on the disk by then: whenever the power fails,
the box is what it was or what it is to become, never half of either. Wiring is the caretaker's and stands in door.toml.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tomllib
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from access_contract.enrolling import Delivered
from door_agent.durable import sync_folder
from door_agent.errors import BadConfiguration

LINK = "identity"
CERTIFICATE, KEY, AUTHORITY = "certificate.pem", "key.pem", "ca.pem"
_SETTINGS = "identity.toml"
_IDENTITY_KEYS = ("door", "tag_key_file", "broker", "server")
_FILES = (("broker", "ca"), ("broker", "certificate"), ("broker", "key"), ("server", "sealing_key"))
_STAYS = (LINK, "was-", "lock", "door.toml")


def with_identity(path: Path, written: dict[str, Any]) -> dict[str, Any]:
    """Return the settings written in `path` (door.toml), with who the box is where it was enrolled. Raise BadConfiguration."""
    state_folder = written.get("state_folder")
    folder = identity_folder(Path(path.parent, state_folder)) if isinstance(state_folder, str) else None
    if folder is None:
        if "door" not in written and isinstance(state_folder, str):
            raise BadConfiguration(
                f"{path}: this box is not enrolled yet; run `door-agent enrol`, or copy the folder here that `booking-server"
                " door-files` wrote on the server"
            )
        if "door" not in written and state_folder is None:
            raise BadConfiguration(f"{path}: state_folder is missing; it must be set, as `door-agent enrol` writes it")
        return written
    own = _read(folder)
    if written.get("door", own["door"]) != own["door"]:
        raise BadConfiguration(
            f"{path}: door is {written['door']!r}, but this box is enrolled as {own['door']!r}; take that line out, or remove"
            f" {folder.parent / LINK}"
        )
    return {**written, **own}


def identity_folder(state_folder: Path) -> Path | None:
    """Return the folder that the box's identity lies in now; None if it was never enrolled."""
    link = state_folder / LINK
    return link.resolve() if link.exists() else None


def door_of(state_folder: Path) -> str | None:
    """Return the door that the box was enrolled as, or None."""
    folder = identity_folder(state_folder)
    return None if folder is None else str(_read(folder)["door"])


def contents(delivered: Delivered, private_key: bytes) -> dict[str, bytes]:
    """Return the files of an identity by name; `private_key` is the box's own, as PEM."""
    signing = {key_id: f"server-signing-{key_id}.pem" for key_id in delivered.signing_keys}
    text = (
        "# Who this box is. Written by `door-agent enrol`, renewed by the agent: change nothing here.\n"
        f'door = {_quoted(delivered.door)}\ntag_key_file = "tag.key"\n\n'
        f"[broker]\nhost = {_quoted(delivered.broker_host)}\nport = {delivered.broker_port}\n"
        f'ca = "{AUTHORITY}"\ncertificate = "{CERTIFICATE}"\nkey = "{KEY}"\n\n'
        '[server]\nsealing_key = "server-sealing.pem"\n\n[server.signing_keys]\n'
        + "".join(f"{_quoted(key_id)} = {_quoted(name)}\n" for key_id, name in signing.items())
    )
    return {
        CERTIFICATE: delivered.certificate.encode(),
        KEY: private_key,
        AUTHORITY: delivered.authority.encode(),
        "tag.key": delivered.tag_key,
        "server-sealing.pem": delivered.sealing_key.encode(),
        **{signing[key_id]: pem.encode() for key_id, pem in delivered.signing_keys.items()},
        _SETTINGS: text.encode(),
    }


def renewed(folder: Path, certificate: bytes, private_key: bytes) -> dict[str, bytes]:
    """Return the files of the identity in `folder` with another certificate and its key."""
    kept = {file.name: file.read_bytes() for file in folder.iterdir()}
    return {**kept, CERTIFICATE: certificate, KEY: private_key}


def prepare(state_folder: Path, name: str, files: Mapping[str, bytes]) -> Path:
    """Write a whole identity beside the present one, on the disk when this returns. It counts for nothing yet. OSError."""
    folder = state_folder / f"{LINK}-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    for file, content in files.items():
        descriptor = os.open(folder / file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        own_as(state_folder, folder / file)
    own_as(state_folder, folder)
    sync_folder(folder)
    sync_folder(state_folder)
    return folder


def take_on(state_folder: Path, folder: Path) -> None:
    """Be what was prepared in `folder`, from this instant on and after every power cut; forget the others. Raise OSError."""
    beside = state_folder / f"{LINK}.new"
    beside.unlink(missing_ok=True)
    beside.symlink_to(folder.name)
    own_as(state_folder, beside)
    beside.replace(state_folder / LINK)
    sync_folder(state_folder)
    drop_others(state_folder)


def drop_others(state_folder: Path) -> None:
    """Remove every identity but the present one: what a power cut left, and what was replaced."""
    now = identity_folder(state_folder)
    for folder in state_folder.glob(f"{LINK}-*"):
        if folder.resolve() != now:
            shutil.rmtree(folder, ignore_errors=True)


def set_aside(state_folder: Path, door: str) -> Path | None:
    """Move what the box wrote and knew as `door` into a folder of its own, for the box is to be another door.

    Return that folder, or None if there was nothing. The agent must not run.
    """
    kept = [entry for entry in sorted(state_folder.iterdir()) if not entry.name.startswith(_STAYS)]
    if not kept:
        return None
    journal = state_folder / "journal.sqlite"
    if journal.exists():
        with suppress(sqlite3.Error), closing(sqlite3.connect(journal)) as database:
            database.execute("PRAGMA journal_mode = DELETE")  # all in one file: a power cut must not part them
    number = 1
    while (folder := state_folder / f"was-{door}-{number}").exists():
        number += 1
    folder.mkdir(mode=0o700)
    own_as(state_folder, folder)
    for entry in kept:
        if entry.exists():
            entry.rename(folder / entry.name)
    sync_folder(folder)
    sync_folder(state_folder)
    return folder


def own_as(state_folder: Path, made: Path) -> None:
    """Give what root made to whom the state folder belongs: the agent runs as that user."""
    if os.geteuid() == 0:
        owner = state_folder.stat()
        os.chown(made, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _read(folder: Path) -> dict[str, Any]:
    """Return the identity's part of the settings, each file of it as a whole path."""
    file = folder / _SETTINGS
    try:
        own = tomllib.loads(file.read_text(encoding="utf-8"))
        read: dict[str, Any] = {key: own[key] for key in _IDENTITY_KEYS}
        read["tag_key_file"] = str(folder / read["tag_key_file"])
        for table, key in _FILES:
            read[table][key] = str(folder / read[table][key])
        signing = {key_id: str(folder / name) for key_id, name in read["server"]["signing_keys"].items()}
        return {**read, "server": {**read["server"], "signing_keys": signing}}
    except OSError as error:
        raise BadConfiguration(f"{file}: cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadConfiguration(f"{file}: is damaged; run `door-agent enrol` again") from None


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
