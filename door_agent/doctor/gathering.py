# SPDX-License-Identifier: AGPL-3.0-or-later
"""Finds out the facts about a door's box, from files below `root` and from what is alive on it. It changes nothing but for one
file that is written into the state folder, timed and removed."""

from __future__ import annotations

import os
import platform
import sqlite3
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from grp import getgrgid
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from pwd import getpwuid
from typing import Any

from cryptography.x509 import load_pem_x509_certificate
from cryptography.x509.oid import NameOID

from door_agent import page
from door_agent.clock import kernel_is_synced, wall_clock
from door_agent.config import Config, load
from door_agent.doctor import asking, board
from door_agent.doctor.boot import Line, parsed
from door_agent.doctor.facts import (
    AGENTS_USER,
    Broker,
    Certificate,
    Clock,
    Facts,
    File,
    Journal,
    Pcscd,
    Sync,
    Versions,
)
from door_agent.errors import BadConfiguration, DoorError
from door_agent.identity import identity_folder
from door_agent.journal_file import count_waiting
from door_agent.main import check, state_folder
from door_agent.readers.settings import Evdev, Osdp
from door_agent.readers.settings import Pcsc as PcscSettings
from door_agent.telling import Told

_SYNC_BYTES = 64 * 1024
_BOOT_FILES = ("boot/firmware/config.txt", "boot/config.txt")


def _running(port: int) -> Told | None:
    with suppress(DoorError):
        return page.asked(port)
    return None


@dataclass(frozen=True, kw_only=True)
class Asks:
    """What is alive, and how it is asked."""

    pcscd: Callable[[], Pcscd] = asking.pcscd
    pcscd_version: Callable[[], str | None] = asking.pcscd_version
    broker: Callable[[Path, Config], Broker] = asking.broker
    unit: Callable[[], dict[str, str] | None] = asking.unit
    running: Callable[[int], Told | None] = _running
    pin_library: Callable[[], bool] = lambda: find_spec("lgpio") is not None
    now: Callable[[], datetime] = wall_clock
    synced: Callable[[], bool] = kernel_is_synced


def gather(config_file: Path, root: Path = Path("/"), asks: Asks | None = None) -> Facts:
    """Return everything that can be told of the box and of the door with these settings."""
    asks = asks or Asks()
    config, trouble = _config(config_file)
    boot_file, boot_lines = _boot(root)
    about_pi: dict[str, Any] = {
        "agents_user_is_there": f"\n{AGENTS_USER}:" in f"\n{board.text(root / 'etc/passwd')}",
        "drop_ins": frozenset(file.name for file in root.glob("etc/systemd/system/door-agent.service.d/*.conf")),
        "modules": _modules(root),
        "model": board.text(root / "proc/device-tree/model"),
        "chips": _groups(root, root.glob("dev/gpiochip*")),
        "pin_library": asks.pin_library(),
        "boot_file": boot_file,
        "boot_lines": boot_lines,
        "keeps_outputs": _keeps_outputs(root),
        "clock": _clock(root, asks),
        "wear": board.wear(root),
        "power": board.power(root),
        "versions": _versions(root, asks),
        "unit": asks.unit(),
    }
    about_door = {} if config is None else _about_door(config_file, config, root, asks)
    return Facts(config_file=config_file, config=config, trouble=trouble, **about_pi, **about_door)


def _config(config_file: Path) -> tuple[Config | None, str | None]:
    try:
        config = load(config_file)
    except BadConfiguration as error:
        return None, str(error)
    try:
        check(config_file)
    except DoorError as error:
        return config, str(error)
    return config, None


def _about_door(config_file: Path, config: Config, root: Path, asks: Asks) -> dict[str, Any]:
    folder = state_folder(config_file, config)
    devices = [reader.device for reader in config.readers if isinstance(reader, Evdev)]
    devices += [reader.port for reader in config.readers if isinstance(reader, Osdp)]
    return {
        "files": tuple(_files(config_file, config)),
        "runs": _is_locked(root, folder / "lock"),
        "told": asks.running(config.status_port) if config.status_port else None,
        "pcscd": asks.pcscd() if any(isinstance(reader, PcscSettings) for reader in config.readers) else None,
        "devices": _groups(root, (root / device.lstrip("/") for device in devices)),
        "space": board.space(folder),
        "journal": _journal(folder / "journal.sqlite"),
        "sync": _sync(folder),
        "certificate": _certificate(config_file.parent / config.broker.certificate, folder),
        "broker": asks.broker(config_file, config),
    }


def _files(config_file: Path, config: Config) -> Iterator[File]:
    server = ((f"server.signing_keys.{name}", file) for name, file in config.server.signing_keys.items())
    keys = ((f"readers.{one.access_point}", one.key_file) for one in config.readers if isinstance(one, Osdp))
    named = (
        ("tag_key_file", config.tag_key_file, True),
        ("broker.key", config.broker.key, True),
        ("broker.certificate", config.broker.certificate, False),
        ("broker.ca", config.broker.ca, False),
        ("server.sealing_key", config.server.sealing_key, False),
        *((setting, file, False) for setting, file in server),
        *((setting, file, True) for setting, file in keys),
        ("state_folder", config.state_folder, True),
    )
    for setting, name, secret in named:
        path = config_file.parent / name
        with suppress(OSError):
            found = path.stat()
            yield File(
                setting=setting,
                path=str(path),
                secret=secret,
                mode=found.st_mode & 0o777,
                owner=_user(found.st_uid),
                group=_group(found.st_gid),
            )


def _user(number: int) -> str:
    try:
        return getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group(number: int) -> str:
    try:
        return getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _groups(root: Path, files: Iterator[Path]) -> dict[str, str]:
    found = {}
    for file in sorted(files):
        with suppress(OSError):
            found[f"/{file.relative_to(root)}"] = _group(file.stat().st_gid)
    return found


def _is_locked(root: Path, lock: Path) -> bool | None:
    """True if an agent holds the state folder. The lock is not tried: an agent that starts just then would be refused."""
    locks = board.text(root / "proc/locks")
    try:
        number = lock.stat().st_ino
    except FileNotFoundError:
        return False
    except OSError:
        return None
    return None if locks is None else any(f":{number} " in line and "FLOCK" in line for line in locks.splitlines())


def _modules(root: Path) -> frozenset[str] | None:
    said = board.text(root / "proc/modules")
    return None if said is None else frozenset(line.split()[0] for line in said.splitlines() if line)


def _boot(root: Path) -> tuple[str | None, tuple[Line, ...]]:
    for name in _BOOT_FILES:
        said = board.text(root / name)
        if said is not None and "moved to /boot/firmware" not in said:
            return f"/{name}", tuple(parsed(said))
    return None, ()


def _keeps_outputs(root: Path) -> bool | None:
    """Does the kernel leave an output as it is when the program that drove it ends? None where it does not say.

    Each model's driver has a word of its own, and a kernel may carry two: config.txt changes that of this model.
    """
    said = [board.text(file) for file in root.glob("sys/module/pinctrl_*/parameters/persist_gpio_outputs")]
    return all(word == "Y" for word in said) if said else None


def _clock(root: Path, asks: Asks) -> Clock:
    now, synced_at = asks.now(), None
    with suppress(OSError):
        synced_at = datetime.fromtimestamp((root / "run/systemd/timesync/synchronized").stat().st_mtime, UTC)
    said = board.text(root / "sys/class/rtc/rtc0/since_epoch")
    return Clock(
        at=now,
        synced=asks.synced(),
        synced_at=synced_at,
        has_battery=(root / "sys/class/rtc/rtc0").exists() if (root / "sys/class").exists() else None,
        battery_off_seconds=abs(now.timestamp() - int(said)) if said and said.isdigit() else None,
    )


def _journal(file: Path) -> Journal | None:
    try:
        size = sum(Path(f"{file}{suffix}").stat().st_size for suffix in ("", "-wal") if Path(f"{file}{suffix}").exists())
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as database:
            return Journal(bytes=size, waiting=count_waiting(database))
    except (OSError, sqlite3.Error):
        return None


def _sync(folder: Path) -> Sync | None:
    if not folder.is_dir():
        return None
    file, began = folder / "doctor", time.monotonic()
    try:
        with file.open("wb") as out:
            out.write(os.urandom(_SYNC_BYTES))
            out.flush()
            os.fsync(out.fileno())
        return Sync(seconds=time.monotonic() - began)
    except OSError as error:
        return Sync(trouble=error.strerror)
    finally:
        with suppress(OSError):
            file.unlink(missing_ok=True)


def _certificate(file: Path, folder: Path) -> Certificate | None:
    try:
        found = load_pem_x509_certificate(file.read_bytes())
    except (OSError, ValueError):
        return None
    names = [str(name.value) for name in found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return Certificate(name=", ".join(names), ends=found.not_valid_after_utc, renews=identity_folder(folder) is not None)


def _versions(root: Path, asks: Asks) -> Versions:
    said = board.text(root / "etc/os-release") or ""
    system = {key: value.strip('"') for key, _, value in (line.partition("=") for line in said.splitlines())}
    return Versions(
        agent=version("hubkey"),
        python=platform.python_version(),
        bits=8 * struct.calcsize("P"),
        machine=platform.machine(),
        system=system.get("PRETTY_NAME"),
        debian=system.get("VERSION_ID"),
        pcscd=asks.pcscd_version(),
    )
