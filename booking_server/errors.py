# SPDX-License-Identifier: AGPL-3.0-or-later
"""What can go wrong by somebody's doing, each with a sentence that says what to do. Bugs are not here: they crash.

`message` is an English sentence with {placeholders}; pages translate it and fill in `values`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self


class BookingServerError(Exception):
    """Root of the server's own faults and refusals."""

    def __init__(self, message: str, **values: object) -> None:
        super().__init__(message.format(**values))
        self.message = message
        self.values = values


class Invalid(BookingServerError):
    """Input that cannot be taken. `field` names the form field, key or column it stands in."""

    def __init__(self, field: str, message: str, **values: object) -> None:
        super().__init__(message, **values)
        self.field = field

    def at(self, field: str) -> Self:
        """Return the same problem at another field: of a form or file that calls it otherwise."""
        return type(self)(field, self.message, **self.values)

    @classmethod
    def kept(cls, field: str, message: str, values: Mapping[str, object]) -> Self:
        """Return one that was stored by its parts."""
        return cls(field, message, **values)


class NotFound(BookingServerError):
    """There is no such thing, or not for this actor."""
