# SPDX-License-Identifier: AGPL-3.0-or-later
"""The key files that a door's settings name: read, and refused with file, setting and what is allowed. Nothing is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from access_contract.vocabulary import DoorId
from door_agent.config import Config
from door_agent.errors import BadConfiguration, unreadable
from door_agent.state import Settings

_TAG_KEY_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class Keys:
    """The server's public keys: what signs its word, by key id, and what tag numbers are sealed to."""

    signing: dict[str, Ed25519PublicKey]
    sealing: X25519PublicKey


def settings_of(config_file: Path, config: Config) -> Settings:
    """Return what the machine needs of the settings, with the tag key. Raise BadConfiguration."""
    key = _read(config_file, "tag_key_file", config.tag_key_file)
    if len(key) != _TAG_KEY_BYTES:
        said = f"tag_key_file is {config.tag_key_file!r}, which holds {len(key)} bytes; it must hold exactly {_TAG_KEY_BYTES}"
        raise BadConfiguration(f"{config_file}: {said}")
    return Settings(
        door=DoorId(config.door),
        tag_key=key,
        pulse_seconds=config.lock.pulse_seconds,
        extended_pulse_seconds=config.lock.extended_seconds,
        after_pulse_seconds=config.lock.after_pulse_seconds,
        operator_pulse_seconds=None if config.operator.pin is None else config.operator.pulse_seconds,
        operator_delay_seconds=config.operator.delay_seconds,
        disarm_pulse_seconds=None if config.alarm.disarm_pin is None else config.alarm.disarm_pulse_seconds,
        confirmation_seconds=config.alarm.confirmation_seconds,
        bolt_seconds=config.bolt.deadline_seconds,
        ask_deadline_seconds=config.timing.ask_deadline_ms / 1000,
        held_open_seconds=config.timing.held_open_seconds,
        extended_held_open_seconds=config.timing.extended_held_open_seconds or 2 * config.timing.held_open_seconds,
        pre_alarm_seconds=config.timing.pre_alarm_seconds,
        exit_stuck_seconds=config.exit_button.stuck_seconds,
        has_contact=config.contact.pin is not None,
        unwritable_refuses=config.policy.journal_unwritable == "refuse",
        tap_is_entry_when_unlocked=config.policy.tap_is_entry_when_unlocked,
        simulated=config.demo,
    )


def read_keys(config_file: Path, config: Config) -> Keys:
    """Return the server's public keys. Raise BadConfiguration."""
    if not config.server.signing_keys:
        raise BadConfiguration(
            f"{config_file}: server.signing_keys is empty; the door would believe nobody: name one key at least"
        )
    signing = {
        name: _public(config_file, f"server.signing_keys.{name}", file, Ed25519PublicKey)
        for name, file in config.server.signing_keys.items()
    }
    return Keys(signing=signing, sealing=_public(config_file, "server.sealing_key", config.server.sealing_key, X25519PublicKey))


def _public(config_file: Path, setting: str, name: str, kind: Any) -> Any:
    """Return a public key written as PEM or as its 32 raw bytes."""
    content = _read(config_file, setting, name)
    try:
        key = kind.from_public_bytes(content) if len(content) == 32 else load_pem_public_key(content)
    except ValueError:
        key = None
    if not isinstance(key, kind):
        wanted = kind.__name__.removesuffix("PublicKey")
        raise BadConfiguration(
            f"{config_file}: {setting} is {name!r}; it must be a public {wanted} key, as PEM or 32 raw bytes"
        )
    return key


def _read(config_file: Path, setting: str, name: str) -> bytes:
    try:
        return (config_file.parent / name).read_bytes()
    except OSError as error:
        raise BadConfiguration(f"{config_file}: {setting} is {name!r}, which {unreadable(error)}") from None
