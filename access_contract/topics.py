# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every MQTT topic, built in one place, and parsed there where a server reads it. Nobody else formats or splits one by hand.

hubkey/v1/door/<door>/up/<channel>      written by the door only
hubkey/v1/door/<door>/down/<channel>    written by the server only, never retained
hubkey/v1/door/<door>/status            written by the door only, retained, also its last will
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from access_contract.vocabulary import DoorId

ROOT = "hubkey/v1"
Up = Literal["ask", "events", "request", "captured"]
Down = Literal["answer", "acknowledgement", "snapshot", "command", "keys", "certificate"]

_DOOR_ID = re.compile(r"[a-z][a-z0-9-]{0,31}")
_UP = re.compile(rf"{ROOT}/door/([a-z][a-z0-9-]{{0,31}})/(?:up/(ask|events|request|captured)|(status))")


class UnknownTopic(ValueError):
    """A topic that is none of ours."""


def is_door_id(text: str) -> bool:
    """True if `text` can name a door: 1 to 32 of a-z, 0-9 and '-', starting with a letter."""
    return _DOOR_ID.fullmatch(text) is not None


def up(door: DoorId, channel: Up) -> str:
    return f"{ROOT}/door/{door}/up/{channel}"


def down(door: DoorId, channel: Down) -> str:
    return f"{ROOT}/door/{door}/down/{channel}"


def status(door: DoorId) -> str:
    return f"{ROOT}/door/{door}/status"


def all_down(door: DoorId) -> str:
    """What one door subscribes to."""
    return f"{ROOT}/door/{door}/down/+"


def from_doors(group: str | None = None) -> tuple[str, ...]:
    """What a server process subscribes to; with `group`, shared between the processes of that group (MQTT 5, 4.8.2)."""
    share = f"$share/{group}/" if group else ""
    return (f"{share}{ROOT}/door/+/up/+", f"{ROOT}/door/+/status")


@dataclass(frozen=True, slots=True)
class FromDoor:
    """A parsed topic that a door writes."""

    door: DoorId
    channel: Literal["ask", "events", "request", "captured", "status"]


def parse_up(topic: str) -> FromDoor:
    """Return who wrote on `topic` and about what. Raise UnknownTopic."""
    match = _UP.fullmatch(topic)
    if match is None:
        raise UnknownTopic(topic)
    return FromDoor(DoorId(match[1]), match[2] or match[3])  # type: ignore[arg-type]
