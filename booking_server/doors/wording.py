# SPDX-License-Identifier: AGPL-3.0-or-later
"""How the pages name a door's modes, its troubles and its refusals. A word of a later version is shown as it came."""

from __future__ import annotations

from flask_babel import gettext, lazy_gettext

from booking_server.doors.commands import Command
from booking_server.web.wording import REASONS

MODES = {
    "locked": (lazy_gettext("Locked"), lazy_gettext("Opens for whoever may enter. The usual mode.")),
    "unlocked": (lazy_gettext("Unlocked"), lazy_gettext("Stands open for everybody, without a keytag.")),
    "blocked": (lazy_gettext("Blocked"), lazy_gettext("Opens for nobody.")),
    "locked-down": (lazy_gettext("Locked down"), lazy_gettext("Opens only for those who may pass a lock-down.")),
}

ATTENTION = {
    "journal_unwritable": lazy_gettext("The door cannot write its journal. Its memory card may be full or worn out."),
    "journal_slow": lazy_gettext("The door's memory card is slow. Replace it before it fails."),
    "reader_away": lazy_gettext("The reader does not answer. Check its cable."),
    "reader_deaf": lazy_gettext("The reader is plugged in and does not answer. Unplug it and plug it in again."),
    "reader_tamper": lazy_gettext("The reader's cover was opened, or it was taken off the wall. Go and look."),
    "forced_open": lazy_gettext("The door was opened without a tap or the exit button."),
    "held_open": lazy_gettext("The door has been standing open too long."),
    "lock_not_bolted": lazy_gettext("The door did not lock. Pull it shut, or see what is in the way of the bolt."),
    "exit_stuck": lazy_gettext("The exit button is stuck. Free it, or check its wire."),
    "tamper": lazy_gettext("The box at the door was opened. Go and look."),
    "fire": lazy_gettext("The fire alarm sounds at this door."),
    "alarm_no_confirmation": lazy_gettext("The burglar alarm did not let itself be disarmed. Disarm it at its keypad."),
    "journal_lost": lazy_gettext("The door's journal was damaged and a new one began. Replace its memory card soon."),
    "journal_newer": lazy_gettext(
        "The door's agent is older than what wrote its journal, and began a new one. Install the newer version again to have"
        " the rest sent."
    ),
    "journal_full": lazy_gettext(
        "The door has much to tell and has not been online for long. Connect it before its journal is full."
    ),
    "clock_untrusted": lazy_gettext(
        "The door does not know the time. Connect it to the network, or see that its clock is right."
    ),
    "journal_forked": lazy_gettext(
        "The door counted anew from an old or copied card. Taps under used numbers are kept aside and not billed. If it comes"
        " again, look for a second box as this door."
    ),
    "mode_lost": lazy_gettext("The door forgot its mode and is locked. Set the mode anew."),
    "mode_unwritable": lazy_gettext(
        "The door keeps its mode only until its power fails. Its memory card may be full or worn out."
    ),
    "snapshot_unwritable": lazy_gettext(
        "The door keeps the newest rights only until its power fails. Its memory card may be full or worn out."
    ),
    "certificate_expires": lazy_gettext(
        "The door's certificate ends soon, or has ended, and was not renewed. The door decides alone then. Enrol its box again."
    ),
    "keys_lost": lazy_gettext("The door lost the server's newest keys. If it stays offline, give it new files."),
    "keys_unwritable": lazy_gettext("The door cannot keep the server's next keys. Its memory card may be full or worn out."),
    "snapshot_lost": lazy_gettext("The door lost its list of who may enter. It gets a new one when it is online."),
    "power_low": lazy_gettext("The door's box gets too little power. Use the Pi's own supply and a short cable."),
    "disk_full": lazy_gettext("The door's memory card is nearly full. Free space on it, or replace it with a larger one."),
    "disk_worn": lazy_gettext("The door's memory card is worn out. Replace it before it fails."),
}
"""The same sentences as in door_agent/wording.py: whoever stands at the box and whoever sits at the desk read the same."""

NOTICED_HERE = {
    "mode_unknown": lazy_gettext("The door is in a mode that this server does not know. Update the server."),
}
"""What only the server can find wrong in what a door says."""

REFUSALS = {
    "stale_nonce": lazy_gettext("The door had just changed its one-time word. Ask again."),
    "expired": lazy_gettext("Nobody tapped in time."),
    "unknown_mode": lazy_gettext("The door does not know this mode. Update its agent first."),
}

HISTORY = {
    "door_added": lazy_gettext("Made"),
    "door_moved": lazy_gettext("Renamed or moved"),
    "door_files_written": lazy_gettext("Files for a box written"),
    "box_approved": lazy_gettext("A box approved"),
    "box_replaced": lazy_gettext("The box replaced"),
    "box_stolen": lazy_gettext("The box stolen"),
    "certificates_revoked": lazy_gettext("Certificates revoked"),
    "door_retired": lazy_gettext("Taken out of use"),
}
"""What a door's page tells of its past, by the audit's word."""

LOGS = {
    "priced": (
        lazy_gettext("Where a tap is priced"),
        lazy_gettext("A tap is shown with a name only when it counts as an entry and costs something."),
    ),
    "always": (
        lazy_gettext("Always"),
        lazy_gettext("Every tap is shown with a name. Needs a reason that members may read."),
    ),
    "never": (lazy_gettext("Never"), lazy_gettext("Nobody's name is shown in the list of taps.")),
}


def mode_word(mode: str) -> str:
    return str(MODES[mode][0]) if mode in MODES else mode


def attention(word: str) -> str:
    """Return what is wrong at a door and what to do."""
    return str(ATTENTION.get(word) or NOTICED_HERE.get(word) or gettext("The door reports: %(word)s", word=word))


def refusal(command: Command) -> str:
    """Return why a door did not do what it was asked."""
    word = command.outcome or ""
    return str(REFUSALS.get(word) or REASONS.get(word) or gettext("The door says: %(word)s", word=word))
