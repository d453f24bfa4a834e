# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is wrong at a door and what to do, for each word that it can raise: the same sentences as on the server's pages."""

from __future__ import annotations

ATTENTION = {
    "forced_open": "The door was opened without a tap or the exit button.",
    "held_open": "The door has been standing open too long.",
    "lock_not_bolted": "The door did not lock. Pull it shut, or see what is in the way of the bolt.",
    "exit_stuck": "The exit button is stuck. Free it, or check its wire.",
    "tamper": "The box at the door was opened. Go and look.",
    "fire": "The fire alarm sounds at this door.",
    "alarm_no_confirmation": "The burglar alarm did not let itself be disarmed. Disarm it at its keypad.",
    "reader_away": "The reader does not answer. Check its cable.",
    "reader_deaf": "The reader is plugged in and does not answer. Unplug it and plug it in again.",
    "reader_tamper": "The reader's cover was opened, or it was taken off the wall. Go and look.",
    "journal_unwritable": "The door cannot write its journal. Its memory card may be full or worn out.",
    "journal_slow": "The door's memory card is slow. Replace it before it fails.",
    "journal_lost": "The door's journal was damaged and a new one began. Replace its memory card soon.",
    "journal_newer": (
        "The door's agent is older than what wrote its journal, and began a new one. Install the newer version again to have"
        " the rest sent."
    ),
    "journal_forked": (
        "The door counted anew from an old or copied card. Taps under used numbers are kept aside and not billed."
        " If it comes again, look for a second box as this door."
    ),
    "journal_full": "The door has much to tell and has not been online for long. Connect it before its journal is full.",
    "clock_untrusted": "The door does not know the time. Connect it to the network, or see that its clock is right.",
    "keys_lost": "The door lost the server's newest keys. If it stays offline, give it new files.",
    "keys_unwritable": "The door cannot keep the server's next keys. Its memory card may be full or worn out.",
    "snapshot_lost": "The door lost its list of who may enter. It gets a new one when it is online.",
    "snapshot_unwritable": (
        "The door keeps the newest rights only until its power fails. Its memory card may be full or worn out."
    ),
    "certificate_expires": (
        "The door's certificate ends soon, or has ended, and was not renewed. The door decides alone then. Enrol its box again."
    ),
    "mode_lost": "The door forgot its mode and is locked. Set the mode anew.",
    "mode_unwritable": "The door keeps its mode only until its power fails. Its memory card may be full or worn out.",
    "power_low": "The door's box gets too little power. Use the Pi's own supply and a short cable.",
    "disk_full": "The door's memory card is nearly full. Free space on it, or replace it with a larger one.",
    "disk_worn": "The door's memory card is worn out. Replace it before it fails.",
}


def attention(word: str) -> str:
    """Return the sentence for a word; a word that is not known is shown as it came."""
    return ATTENTION.get(word, f"The door reports: {word}")
