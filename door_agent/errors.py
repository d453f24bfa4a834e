# SPDX-License-Identifier: AGPL-3.0-or-later
"""What can go wrong at a door for a reason outside the code, each with one clear sentence. A bug is none of these."""

from __future__ import annotations


class DoorError(Exception):
    """A fault with a sentence that the caretaker can act on."""


class BadConfiguration(DoorError):
    """A settings file that cannot be used; the message names file, key, value and what is allowed."""


class MissingPart(DoorError):
    """A reader, driver or library that is not there; the message says what to install."""


class JournalUnwritable(DoorError):
    """The journal could not be written to or synced; the message is the disk's own."""


class JournalDamaged(DoorError):
    """The journal's file was found damaged while the door ran; the next start puts it aside."""


def unreadable(error: OSError) -> str:
    """Return what to say of a file that cannot be read; where a right is missing, also how to come by it."""
    help_ = "; run this with sudo, and if the agent says so, `sudo door-agent doctor` tells what to change"
    return f"cannot be read ({error.strerror})" + (help_ if isinstance(error, PermissionError) else "")
