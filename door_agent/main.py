# SPDX-License-Identifier: AGPL-3.0-or-later
"""Wires one door's parts together from its settings, and ends with the relay off. It decides nothing itself."""

from __future__ import annotations

import signal
import threading
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from access_contract.vocabulary import AccessPointId, ClockQuality, DoorId, DoorMode, TagNumber
from door_agent import happenings as h
from door_agent.clock import SystemClock, TurnedClock
from door_agent.config import Config, load, read_file
from door_agent.errors import BadConfiguration
from door_agent.journal import Journal
from door_agent.link import Link
from door_agent.loop import Loop
from door_agent.machine import Settings, State, empty_snapshot
from door_agent.readers.pcsc import PcscReader
from door_agent.relays import Lamps, Relay, listen, use_mock_pins
from door_agent.simulated import Control
from door_agent.snapshots import SnapshotStore


def run(config_file: Path) -> None:
    """Run the door until SIGTERM or SIGINT. Raise DoorError with one clear sentence."""
    config = load(config_file)
    loop, folder = _loop(config_file, config), Path(config_file.parent, config.state_folder)
    if config.demo:
        use_mock_pins()
    watcher = lambda *_: None  # noqa: E731
    if config.simulated.control is not None:
        watcher = Control(config_file.parent / config.simulated.control, loop.put).pin_moved
    loop.relay = Relay(config.lock.pin, active_high=config.lock.active_high, watcher=watcher)
    loop.lamps, loop.mode_file = Lamps(config, watcher), folder / "mode"
    loop.journal_deadline_seconds = config.timing.journal_deadline_seconds
    parts = [*_listen(config, loop), *_readers(config, loop)]
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=loop.put, args=(None,)).start())
    loop.link.start(config.broker, config_file.parent)
    try:
        loop.run()
    finally:
        loop.link.close()
        for part in parts:
            part.close()


def check(config_file: Path) -> None:
    """Read settings and key files. Raise BadConfiguration."""
    config = load(config_file)
    _keys(config_file, config)
    _settings(config_file, config)


def _loop(config_file: Path, config: Config) -> Loop:
    settings, (signing, sealing) = _settings(config_file, config), _keys(config_file, config)
    folder = Path(config_file.parent, config.state_folder)
    folder.mkdir(parents=True, exist_ok=True)
    store = SnapshotStore(folder / "snapshot.json")
    snapshot, digest = store.load() or (empty_snapshot(settings.door), None)
    offset = config.simulated.clock
    clock = (
        TurnedClock(None if offset is None else config_file.parent / offset) if config.demo else SystemClock(snapshot.made_at)
    )
    journal = Journal(folder / "journal.sqlite")
    state = State(snapshot=snapshot, digest=digest, mode=_mode(folder / "mode"), sequence=journal.sequence)
    loop = Loop(settings, state, clock, journal, store, version=version("hubkey"))
    loop.sealing_key = sealing
    loop.link = Link(
        settings.door,
        signing,
        trusted_now=lambda: None if clock.quality() is ClockQuality.UNTRUSTED else clock.now(),
        heard=loop.heard,
        changed=loop.link_changed,
    )
    return loop


def _mode(file: Path) -> DoorMode:
    try:
        return DoorMode(file.read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return DoorMode.LOCKED


def _settings(config_file: Path, config: Config) -> Settings:
    key = read_file(config_file, "tag_key_file", config.tag_key_file)
    if len(key) != 32:
        raise BadConfiguration(f"{config_file}: tag_key_file is {config.tag_key_file!r}; it must hold exactly 32 bytes")
    return Settings(
        door=DoorId(config.door),
        tag_key=key,
        pulse_seconds=config.lock.pulse_seconds,
        ask_deadline_seconds=config.timing.ask_deadline_ms / 1000,
        held_open_seconds=config.timing.held_open_seconds,
        has_contact=config.contact.pin is not None,
        unwritable_refuses=config.policy.journal_unwritable == "refuse",
        tap_is_entry_when_unlocked=config.policy.tap_is_entry_when_unlocked,
        simulated=config.demo,
    )


def _keys(config_file: Path, config: Config) -> tuple[dict[str, Ed25519PublicKey], X25519PublicKey]:
    signing = {}
    for name, file in config.server.signing_keys.items():
        key = _public(config_file, f"server.signing_keys.{name}", file, Ed25519PublicKey)
        signing[name] = key
    return signing, _public(config_file, "server.sealing_key", config.server.sealing_key, X25519PublicKey)


def _public(config_file: Path, setting: str, name: str, kind: Any) -> Any:
    """Return a public key written as PEM or as its 32 raw bytes."""
    content = read_file(config_file, setting, name)
    try:
        key = kind.from_public_bytes(content) if len(content) == 32 else load_pem_public_key(content)
    except ValueError:
        key = None
    if not isinstance(key, kind):
        raise BadConfiguration(f"{config_file}: {setting} is {name!r}; it must be a {kind.__name__} as PEM or 32 raw bytes")
    return key


def _listen(config: Config, loop: Loop) -> list[Any]:
    buttons = []
    if config.contact.pin is not None:
        contact = listen(config.contact.pin, lambda closed: loop.put(h.ContactMoved(not closed)))
        loop.put(h.ContactMoved(not contact.is_pressed and not config.demo))
        buttons.append(contact)
    if config.exit_button.pin is not None:
        buttons.append(listen(config.exit_button.pin, lambda pressed: loop.put(h.ExitPressed()) if pressed else None))
    return buttons


def _readers(config: Config, loop: Loop) -> list[Any]:
    def tapped(point: str, number: TagNumber) -> None:
        loop.put(h.TagRead(AccessPointId(point), number))

    return [PcscReader(r.name, partial(tapped, r.access_point)) for r in config.readers if r.kind == "pcsc"]
