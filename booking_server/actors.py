# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who acts. Every service call takes an actor and refuses one whose roles, or the sites where they hold, do not allow it.

What belongs to one site asks for a role at that site; what belongs to the hub, as people and keytags do, for a role anywhere;
what changes the hub for everybody, as prices of all sites and accounts do, for a role in the whole hub.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What an account may do. A member is who holds keytags and books; every other role is one of the staff's."""

    ADMINISTRATOR = "administrator"
    HOST = "host"
    BILLING = "billing"
    CARETAKER = "caretaker"
    REPORTS = "reports"
    MEMBER = "member"


STAFF = frozenset(Role) - {Role.MEMBER}

Holds = tuple[Role, int | None]
"""A role and the site where it holds; None is the whole hub."""


class NotAllowed(PermissionError):
    """The actor's roles do not allow this act, or not at this site."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """An account, a command typed at the server (`account_id` None), or a process of the server itself.

    An administrator may do all that staff may, where they are one. `person_id` is the person whom a member's account acts for.
    """

    name: str
    roles: frozenset[Holds]
    account_id: int | None = None
    person_id: int | None = None

    @classmethod
    def of(
        cls, name: str, *roles: Role, site_id: int | None = None, account_id: int | None = None, person_id: int | None = None
    ) -> Actor:
        """Return an actor with these roles at one site, or in the whole hub."""
        held = frozenset((role, site_id) for role in roles)
        return cls(name=name, roles=held, account_id=account_id, person_id=person_id)

    @property
    def is_staff(self) -> bool:
        return any(role in STAFF for role, _ in self.roles)

    def sites(self, *roles: Role) -> frozenset[int] | None:
        """Return the sites at which one of `roles` is held; None is every site there is and will be."""
        found = {site_id for role, site_id in self.roles if role in roles or (role is Role.ADMINISTRATOR and _staffs(roles))}
        return None if None in found else frozenset(site for site in found if site is not None)

    def may(self, *roles: Role) -> bool:
        """True if one of `roles` is held somewhere."""
        return self.sites(*roles) != frozenset()

    def may_at(self, site_id: int, *roles: Role) -> bool:
        """True if one of `roles` is held at this site."""
        where = self.sites(*roles)
        return where is None or site_id in where

    def may_everywhere(self, *roles: Role) -> bool:
        """True if one of `roles` is held in the whole hub."""
        return self.sites(*roles) is None

    def must_be(self, *roles: Role) -> None:
        """Raise NotAllowed unless one of `roles` is held somewhere."""
        if not self.may(*roles):
            raise NotAllowed(f"needs {_listed(roles)}")

    def must_act_for(self, person_id: int, *roles: Role) -> None:
        """Raise NotAllowed unless this is that person's own account, or one of `roles` is held somewhere."""
        if self.person_id != person_id:
            self.must_be(*roles)

    def must_be_at(self, site_id: int, *roles: Role) -> None:
        """Raise NotAllowed unless one of `roles` is held at this site."""
        if not self.may_at(site_id, *roles):
            raise NotAllowed(f"needs {_listed(roles)} at site {site_id}")

    def must_be_everywhere(self, *roles: Role) -> None:
        """Raise NotAllowed unless one of `roles` is held in the whole hub."""
        if not self.may_everywhere(*roles):
            raise NotAllowed(f"needs {_listed(roles)} in the whole hub")


def _staffs(roles: Collection[Role]) -> bool:
    """An administrator is not thereby a member: nobody acts for a person who they are not."""
    return not roles or any(role is not Role.MEMBER for role in roles)


def _listed(roles: Collection[Role]) -> str:
    return " or ".join(roles) or str(Role.ADMINISTRATOR)


SYSTEM = Actor.of("system", Role.ADMINISTRATOR)
COMMAND_LINE = Actor.of("command line", Role.ADMINISTRATOR)
