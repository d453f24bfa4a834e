# SPDX-License-Identifier: AGPL-3.0-or-later
"""A door's settings: one TOML file, every key known, every mistake named with its file, key and what is allowed.

Simulated parts are allowed only with demo = true, and only towards a broker on a loopback address.
"""

from __future__ import annotations

import tomllib
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from access_contract.explaining import explained
from access_contract.topics import is_door_id
from door_agent.errors import BadConfiguration, unreadable
from door_agent.identity import with_identity
from door_agent.keeping import KEEP_DAYS, KEPT_MAX
from door_agent.readers.settings import ReaderSettings, conflict
from door_agent.readers.settings import Simulated as SimulatedReader
from door_agent.wiring import (
    Alarm,
    Bolt,
    Contact,
    ExitButton,
    Fire,
    Lock,
    Operator,
    Pin,
    Seconds,
    Tamper,
    profile,
    profiles,
    under,
)

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
STATUS_PORT = 8631


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Broker(_Table, frozen=True, kw_only=True):
    """Where the broker is, and what this door shows it."""

    host: str
    port: Port = 8883
    ca: str
    certificate: str
    key: str


class Server(_Table, frozen=True, kw_only=True):
    """The server's public keys: what signs its word (by key id), and what tag numbers are sealed to."""

    signing_keys: dict[str, str]
    sealing_key: str


class Lamps(_Table, frozen=True, kw_only=True):
    granted: Pin | None = None
    refused: Pin | None = None


class Buzzer(_Table, frozen=True, kw_only=True):
    pin: Pin | None = None


class Timing(_Table, frozen=True, kw_only=True):
    ask_deadline_ms: Annotated[int, msgspec.Meta(ge=10, le=2000)] = 250
    held_open_seconds: Seconds = 60.0
    extended_held_open_seconds: Seconds | None = None
    pre_alarm_seconds: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 15.0
    journal_deadline_seconds: Seconds = 2.0


class Policy(_Table, frozen=True, kw_only=True):
    journal_unwritable: Literal["refuse", "admit"] = "refuse"
    tap_is_entry_when_unlocked: bool = False


class Simulated(_Table, frozen=True, kw_only=True):
    control: str | None = None
    clock: str | None = None


class Config(_Table, frozen=True, kw_only=True):
    """All settings of one door. Paths that do not start with / are beside the file."""

    door: str
    state_folder: str
    broker: Broker
    server: Server
    tag_key_file: str
    journal_events_max: Annotated[int, msgspec.Meta(ge=1_000, le=10_000_000)] = 1_000_000
    journal_keep_days: Annotated[int, msgspec.Meta(ge=0, le=400)] = KEEP_DAYS
    journal_kept_max: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = KEPT_MAX
    snapshot_storage: Literal["disk", "ram"] = "disk"
    readers: Annotated[tuple[ReaderSettings, ...], msgspec.Meta(min_length=1)]
    status_port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = STATUS_PORT
    demo: bool = False
    wiring: str | None = None
    lock: Lock = Lock()
    operator: Operator = Operator()
    bolt: Bolt = Bolt()
    lamps: Lamps = Lamps()
    buzzer: Buzzer = Buzzer()
    contact: Contact = Contact()
    exit_button: ExitButton = ExitButton()
    tamper: Tamper = Tamper()
    fire: Fire = Fire()
    alarm: Alarm = Alarm()
    timing: Timing = Timing()
    policy: Policy = Policy()
    simulated: Simulated = Simulated()


def load(path: Path) -> Config:
    """Return the settings in `path`. Raise BadConfiguration."""
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadConfiguration(
            f"{path}: there are no settings yet; run `door-agent enrol`, or copy the folder here that `booking-server"
            " door-files` wrote on the server"
        ) from None
    except OSError as error:
        raise BadConfiguration(f"{path}: {unreadable(error)}") from None
    except UnicodeDecodeError:
        raise BadConfiguration(f"{path}: is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise BadConfiguration(f"{path}: is not TOML: {error}") from None
    written, needs = _under_profile(path, with_identity(path, written))
    try:
        config = msgspec.convert(written, Config)
    except msgspec.ValidationError as error:
        raise BadConfiguration(f"{path}: {explained(str(error), written, Config)}") from None
    _check(path, config)
    _check_needs(path, config, needs)
    return config


def status_port(path: Path) -> int:
    """Return where the local page is, from the file alone: whoever may not read the door's keys may ask how it stands."""
    try:
        port = tomllib.loads(path.read_text(encoding="utf-8")).get("status_port", STATUS_PORT)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return STATUS_PORT
    return port if isinstance(port, int) and 0 <= port <= 65535 else STATUS_PORT


def _under_profile(path: Path, written: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the file's settings with those of the wiring it names under them, and what that wiring cannot do without."""
    name = written.get("wiring")
    if not isinstance(name, str):
        return written, []
    settled = profile(name)
    if settled is None:
        raise BadConfiguration(f"{path}: wiring is {name!r}; allowed is: {' or '.join(profiles())}")
    needs: list[str] = settled.pop("needs", [])
    return under(written, settled), needs


def _check_needs(path: Path, config: Config, needs: list[str]) -> None:
    pins = _pins(config)
    for setting in needs:
        if pins[setting] is None:
            raise BadConfiguration(f"{path}: wiring is {config.wiring!r}, which needs {setting}; it must be set")
    if config.alarm.disarm_pin is not None and config.alarm.armed_pin is None:
        raise BadConfiguration(
            f"{path}: alarm.disarm_pin needs alarm.armed_pin: the input that says that the alarm is disarmed"
        )
    for setting, longer, least in (
        ("lock.extended_pulse_seconds", config.lock.extended_pulse_seconds, config.lock.pulse_seconds),
        ("timing.extended_held_open_seconds", config.timing.extended_held_open_seconds, config.timing.held_open_seconds),
    ):
        if longer is not None and longer < least:
            raise BadConfiguration(
                f"{path}: {setting} is {longer:g}; it must be at least {least:g}, the time without `extended`"
            )


def _check(path: Path, config: Config) -> None:
    if not is_door_id(config.door):
        raise BadConfiguration(f"{path}: door is {config.door!r}; allowed are 1 to 32 of a-z, 0-9, '-', starting with a letter")
    _check_readers(path, config)
    _check_pins(path, config)
    if not config.demo:
        _refuse_simulated(path, config)
    elif not _is_loopback(config.broker.host):
        raise BadConfiguration(f"{path}: broker.host is {config.broker.host!r}; demo = true allows only a loopback address")


def _check_readers(path: Path, config: Config) -> None:
    said = conflict(config.readers)
    if said is not None:
        raise BadConfiguration(f"{path}: {said}")


def _pins(config: Config) -> dict[str, int | None]:
    return {
        "lock.pin": config.lock.pin,
        "operator.pin": config.operator.pin,
        "bolt.pin": config.bolt.pin,
        "lamps.granted": config.lamps.granted,
        "lamps.refused": config.lamps.refused,
        "buzzer.pin": config.buzzer.pin,
        "contact.pin": config.contact.pin,
        "exit_button.pin": config.exit_button.pin,
        "tamper.pin": config.tamper.pin,
        "fire.pin": config.fire.pin,
        "alarm.armed_pin": config.alarm.armed_pin,
        "alarm.disarm_pin": config.alarm.disarm_pin,
    }


def _check_pins(path: Path, config: Config) -> None:
    taken: dict[int, str] = {}
    for setting, pin in _pins(config).items():
        if pin is not None and pin in taken:
            raise BadConfiguration(f"{path}: {setting} is {pin}, as is {taken[pin]}; each needs a pin of its own")
        if pin is not None:
            taken[pin] = setting


def _refuse_simulated(path: Path, config: Config) -> None:
    if any(isinstance(reader, SimulatedReader) for reader in config.readers):
        raise BadConfiguration(f"{path}: readers.kind is 'simulated'; that is allowed only with demo = true")
    if config.simulated.control is not None or config.simulated.clock is not None:
        raise BadConfiguration(f"{path}: simulated.control and simulated.clock are allowed only with demo = true")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
