# SPDX-License-Identifier: AGPL-3.0-or-later
"""Wires one door's parts together from its settings, and ends with the relay off. It decides nothing itself."""

from __future__ import annotations

import fcntl
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from access_contract.vocabulary import AccessPointId, ClockQuality
from door_agent import happenings as h
from door_agent.clock import Clock, SystemClock, turned_clock
from door_agent.config import Config, load
from door_agent.doctor.watching import Health, Watching
from door_agent.effects import Parts
from door_agent.errors import BadConfiguration, JournalUnwritable
from door_agent.files import Keys, read_keys, settings_of
from door_agent.floor import floor_of
from door_agent.inputs import watch_all
from door_agent.journal import Journal
from door_agent.link import Link, tls_context
from door_agent.log import Log
from door_agent.loop import Loop
from door_agent.machine import Settings, State, empty_head
from door_agent.mode_file import Kept, parse
from door_agent.page import Page
from door_agent.readers.opening import Hearing, opened
from door_agent.readers.osdp import key_of
from door_agent.readers.port import Reader
from door_agent.readers.settings import Osdp
from door_agent.relays import Lamps, Relay, Watcher, use_pins
from door_agent.renewing import Outside, Renewal
from door_agent.server_keys import ServerKeys
from door_agent.simulated import Control
from door_agent.snapshot_file import remove
from door_agent.snapshots import Held, SnapshotStore

_log = Log("door")
_EVENTS_IN_MEMORY_MAX = 50_000
"""Of a journal that is kept in memory because the disk takes nothing: some 30 MiB."""


def run(config_file: Path) -> None:
    """Run the door until SIGTERM or SIGINT. Raise DoorError with one clear sentence."""
    config = load(config_file)
    with ExitStack() as ends:
        use_pins(mock=config.demo)
        loop = made(config_file, config, ends, begun=_stop_by_signal)
        threading.excepthook = lambda args: loop.broken(args.exc_value or SystemExit(1))
        loop.parts.link.start(config.broker, config_file)
        loop.run()


def made(config_file: Path, config: Config, ends: ExitStack, *, begun: Callable[[Loop], None] = lambda _loop: None) -> Loop:
    """Return the loop with all its parts on the pins chosen, not connected yet; `ends` takes them down. Raise DoorError.

    `begun` is called once there is a loop to stop, before anybody can tap.
    """
    settings, keys = settings_of(config_file, config), read_keys(config_file, config)
    folder = _own_folder(config_file, config, ends)
    return _loop(config_file, config, settings, keys, folder, ends, begun)


def check(config_file: Path) -> None:
    """Read settings, keys and certificates. Raise BadConfiguration."""
    config = load(config_file)
    read_keys(config_file, config)
    tls_context(config.broker, config_file, settings_of(config_file, config).door)
    for reader in config.readers:
        if isinstance(reader, Osdp):
            key_of(config_file, reader)


def state_folder(config_file: Path, config: Config) -> Path:
    return Path(config_file.parent, config.state_folder)


def _own_folder(config_file: Path, config: Config, ends: ExitStack) -> Path:
    """Make the state folder ours alone: two agents with one journal would fork it."""
    folder = state_folder(config_file, config)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = ends.enter_context((folder / "lock").open("a"))
    except OSError as error:
        if error.filename != str(folder) and folder.is_dir():
            return folder  # a disk that takes nothing: the journal says so, and the door's policy decides
        raise BadConfiguration(
            f"{config_file}: state_folder is {str(folder)!r}, which cannot be used ({error.strerror})"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise BadConfiguration(
            f"{config_file}: another door-agent runs with state_folder {str(folder)!r}; stop it first"
        ) from None
    return folder


def _stop_by_signal(loop: Loop) -> None:
    """From here on a signal ends the loop after what is already in its inbox: what was tapped is written down all the same."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.put(None))


def _loop(
    config_file: Path,
    config: Config,
    settings: Settings,
    keys: Keys,
    folder: Path,
    ends: ExitStack,
    begun: Callable[[Loop], None],
) -> Loop:
    store = _snapshots(config, settings, folder)
    ends.callback(store.close)
    kept, mode_trouble = _kept(folder / "mode")
    journal, journal_trouble = _journal(folder / "journal.sqlite", config)
    ends.callback(journal.close)
    state, deadline = _state(config, store.held, kept, journal), config.timing.journal_deadline_seconds
    loop = Loop(settings, state, version=version("hubkey"), journal_deadline_seconds=deadline)
    begun(loop)
    if journal_trouble is not None:
        loop.put(h.JournalReported(journal_trouble, 0))
    believed = ServerKeys(folder / "keys" / "server.json", keys)
    if believed.trouble is not None:
        loop.put(h.Noticed("keys_lost", True, believed.trouble))
    for about, trouble in (
        ("snapshot_lost", store.trouble),
        ("mode_lost", mode_trouble),
        ("journal_lost", _lies_aside(journal.damaged, "was damaged")),
        ("journal_newer", _lies_aside(journal.newer, "was written by a newer version")),
    ):
        if trouble is not None:
            loop.put(h.Noticed(about, True, trouble))
    clock = _clock(config_file, config, floor_of(folder / "floor", (store.held.head.made_at, journal.last_trusted_at)))
    link = Link(
        settings.door,
        lambda: believed.signing,
        trusted_now=partial(_trusted_now, clock),
        heard=loop.heard,
        changed=loop.link_changed,
    )
    ends.callback(link.close)
    _wire(config_file, config, loop, (clock, journal, store, link, believed, folder), ends)
    return loop


def _wire(config_file: Path, config: Config, loop: Loop, made: tuple[Any, ...], ends: ExitStack) -> None:
    """Make what has pins and threads, the relay first: it is off before anything can ask for it."""
    clock, journal, store, link, keys, folder = made
    watcher = lambda *_: None  # noqa: E731
    readers: dict[AccessPointId, Reader] = {}
    control: Control | None = None
    if config.simulated.control is not None:
        control = Control(config_file.parent / config.simulated.control, loop.offer, readers)
        ends.callback(control.close)
        watcher = control.pin_moved
    relay = Relay(config.lock.pin, active_high=config.lock.active_high, watcher=watcher)
    ends.callback(relay.close)
    alarm = config.alarm
    operator = _output(config.operator.pin, config.operator.active_high, watcher, "operator", ends)
    disarm = _output(alarm.disarm_pin, alarm.disarm_active_high, watcher, "disarm", ends)
    lamps = Lamps(config, watcher)
    ends.callback(lamps.close)
    for device in watch_all(config, loop.put):
        ends.callback(device.close)
    hearing = Hearing(put=loop.put, offer=loop.offer)
    for reader in config.readers:
        point = AccessPointId(reader.access_point)
        readers[point] = opened(reader, hearing.at(point), config_file, virtual_allowed=config.demo)
        ends.callback(readers[point].close)
    loop.parts = Parts(
        clock=clock,
        journal=journal,
        snapshots=store,
        relay=relay,
        operator=operator,
        disarm=disarm,
        lamps=lamps,
        link=link,
        keys=keys,
        renewal=_renewal(config_file, config, loop, link, folder),
        mode_file=folder / "mode",
        floor_file=folder / "floor",
        readers=readers,
    )
    if not config.demo:
        ends.callback(Watching(Health(folder), loop.put).close)
    if config.status_port:
        _show(loop, config.status_port, ends)
    if control is not None:
        control.open()


def _show(loop: Loop, port: int, ends: ExitStack) -> None:
    """Make the page at the box. A door without it is a door all the same."""
    try:
        page = Page(port)
    except OSError as error:
        _log.warning("there is no local page; choose a free port", status_port=port, why=error.strerror)
        return
    ends.callback(page.close)
    loop.teller.show = page.show


def _renewal(config_file: Path, config: Config, loop: Loop, link: Link, folder: Path) -> Renewal:
    outside = Outside(
        send=lambda body: link.send("request", body, qos=1), change_line=link.change_certificate, put=loop.put, drop=link.drop
    )
    try:
        return Renewal(loop.settings.door, config_file.parent / config.broker.certificate, folder, outside)
    except (OSError, ValueError) as error:
        tls_context(config.broker, config_file, loop.settings.door)  # says better which file is at fault
        raise BadConfiguration(f"{config_file}: broker.certificate is {config.broker.certificate!r}: {error}") from None


def _clock(config_file: Path, config: Config, floor: datetime | None) -> Clock:
    if not config.demo:
        return SystemClock(floor)
    offset = config.simulated.clock
    return turned_clock(None if offset is None else config_file.parent / offset, floor)


def _trusted_now(clock: Clock) -> Any:
    return None if clock.quality() is ClockQuality.UNTRUSTED else clock.now()


def _output(pin: int | None, active_high: bool, watcher: Watcher, name: str, ends: ExitStack) -> Relay | None:  # noqa: FBT001
    if pin is None:
        return None
    output = Relay(pin, active_high=active_high, watcher=watcher, name=name)
    ends.callback(output.close)
    return output


def _kept(file: Path) -> tuple[Kept, str | None]:
    try:
        return parse(file.read_text(encoding="utf-8")), None
    except FileNotFoundError:
        return Kept(), None
    except (OSError, ValueError) as error:
        return Kept(), f"{file}: {error}"


def _snapshots(config: Config, settings: Settings, folder: Path) -> SnapshotStore:
    """Return what the door holds; where it is to be in memory only, nothing stays on the disk."""
    file, nothing = folder / "snapshot.sqlite", empty_head(settings.door)
    if config.snapshot_storage == "disk":
        return SnapshotStore(file, nothing)
    try:
        remove(file)
    except OSError as error:
        raise BadConfiguration(f"snapshot_storage is 'ram', and {file} cannot be removed ({error.strerror})") from None
    return SnapshotStore(None, nothing)


def _state(config: Config, held: Held, kept: Kept, journal: Journal) -> State:
    """Return how the door begins: a burglar alarm counts as armed until it says otherwise."""
    return State(
        head=held.head,
        digest=held.digest,
        unlocking_windows=held.unlocking_windows,
        mode=kept.mode,
        mode_before=kept.before,
        lock_down=kept.lock_down,
        started_at=kept.started_at,
        sequence=journal.sequence,
        alarm_armed=None if config.alarm.armed_pin is None else True,
    )


def _journal(file: Path, config: Config) -> tuple[Journal, str | None]:
    """Return the journal, or one in memory and why: the door comes up, and its policy decides what opens."""
    most, days, kept = config.journal_events_max, config.journal_keep_days, config.journal_kept_max
    try:
        return Journal(file, events_max=most, keep_days=days, kept_max=kept), None
    except JournalUnwritable as error:
        return Journal(file, on_disk=False, events_max=min(most, _EVENTS_IN_MEMORY_MAX), keep_days=0), str(error)


def _lies_aside(file: Path | None, why: str) -> str | None:
    return None if file is None else f"it {why} and lies in {file}; a new one began"
