# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who acts. Every service call takes an actor and refuses one whose role does not allow it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What an account may do."""

    ADMINISTRATOR = "administrator"
    HOST = "host"
    BILLING = "billing"
    MEMBER = "member"


class NotAllowed(PermissionError):
    """The actor's role does not allow this act."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """An account, a command typed at the server (`account_id` None), or a process of the server itself."""

    name: str
    role: Role
    account_id: int | None = None

    def must_be(self, *roles: Role) -> None:
        """Raise NotAllowed unless this actor has one of `roles`. An administrator may do all that staff may."""
        if self.role is not Role.ADMINISTRATOR and self.role not in roles:
            raise NotAllowed(f"{self.role} may not do this")


SYSTEM = Actor(name="system", role=Role.ADMINISTRATOR)
COMMAND_LINE = Actor(name="command line", role=Role.ADMINISTRATOR)
