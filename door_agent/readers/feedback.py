# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the PC/SC readers we know are told: their own commands as plain bytes, from their makers' manuals. A table, no logic.

A reader that is not here is left as it is: the lamps on the door's pins speak for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from door_agent.readers.port import Shown

Step = tuple[tuple[bytes, ...], float]
"""Commands to send at once, and for how many seconds they then stand."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One family of readers. Their names, as PC/SC says them, begin with one of `names`.

    `are_you_well` asks for the firmware's name, which only a working reader knows. `silence` ends the reader's own beep at
    each tag, and is not sent where `is_silent` (a question and its answer) says so already: some keep it in a memory that
    wears out. `also_by_card` says that the reader takes the same bytes as an APDU while a card lies on it.
    """

    names: tuple[str, ...]
    are_you_well: bytes
    silence: bytes
    is_silent: tuple[bytes, bytes] | None
    shown: Mapping[Shown, tuple[Step, ...]]
    also_by_card: bool = False


_hex = bytes.fromhex
_GREEN, _RED, _DARK = _hex("E0 00 00 29 01 02"), _hex("E0 00 00 29 01 01"), _hex("E0 00 00 29 01 00")
_BEEP, _LONG_BEEP = _hex("E0 00 00 28 01 0A"), _hex("E0 00 00 28 01 32")

PROFILES = (
    Profile(  # its own lamps are put out as well: green at each tag would look like "granted"
        names=("ACS ACR1252", "ACS ACR1281", "ACS ACR1552"),
        are_you_well=_hex("E0 00 00 18 00"),
        silence=_hex("E0 00 00 21 01 00"),
        is_silent=(_hex("E0 00 00 21 00"), _hex("E1 00 00 00 01 00")),
        shown={
            Shown.GRANTED: (((_GREEN,), 1.0), ((_DARK,), 0.0)),
            Shown.REFUSED: (((_RED, _BEEP), 0.15), ((_DARK,), 0.15)) * 3,
            Shown.PRE_ALARM: (((_RED, _LONG_BEEP), 0.5), ((_DARK,), 0.0)),
        },
    ),
    Profile(  # lamp commands that end by themselves; the reader looks for no tag meanwhile, so they are short
        names=("ACS ACR122",),
        are_you_well=_hex("FF 00 48 00 00"),
        silence=_hex("FF 00 52 00 00"),
        is_silent=None,
        shown={
            Shown.GRANTED: (((_hex("FF 00 40 AC 04 05 00 01 00"),), 0.0),),
            Shown.REFUSED: (((_hex("FF 00 40 5C 04 01 01 03 01"),), 0.0),),
            Shown.PRE_ALARM: (((_hex("FF 00 40 5C 04 05 01 01 01"),), 0.0),),
        },
        also_by_card=True,
    ),
)


def profile_of(reader: str) -> Profile | None:
    """Return what is known of the reader with this PC/SC name."""
    return next((profile for profile in PROFILES if reader.startswith(profile.names)), None)
