# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may ask for what: every address of the pages with the roles it is for, and where these must hold.

It is written by hand and not taken from the code: it is what the code is held to, and what docs/security.md shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from booking_server.actors import STAFF, Actor, Role

ADMINISTRATOR, HOST, BILLING = Role.ADMINISTRATOR, Role.HOST, Role.BILLING
CARETAKER, REPORTS, MEMBER = Role.CARETAKER, Role.REPORTS, Role.MEMBER


class Where(StrEnum):
    """Where a role must hold."""

    ANYWHERE = "at any site"
    HERE = "at the site of what is asked for"
    HUB = "in the whole hub"


@dataclass(frozen=True, slots=True)
class Right:
    """Who may: anybody at all, everybody signed in, who has one of `roles` there, or (`own`) whom it belongs to."""

    roles: tuple[Role, ...] = ()
    where: Where = Where.ANYWHERE
    own: bool = False
    signed_in: bool = False
    anybody: bool = False

    def allows(self, who: Actor | None, *, site_id: int, owner: int) -> bool:
        """True if `who` may, where what is asked for is at this site and belongs to this person."""
        if who is None or self.anybody:
            return self.anybody
        if self.signed_in or (self.own and who.person_id == owner):
            return True
        if not self.roles:
            return False
        if self.where is Where.HUB:
            return who.may_everywhere(*self.roles)
        return who.may_at(site_id, *self.roles) if self.where is Where.HERE else who.may(*self.roles)


ANYBODY, SIGNED_IN, OWN = Right(anybody=True), Right(signed_in=True), Right(own=True)


def anywhere(*roles: Role, own: bool = False) -> Right:
    return Right(roles, Where.ANYWHERE, own)


def here(*roles: Role, own: bool = False) -> Right:
    return Right(roles, Where.HERE, own)


def hub(*roles: Role, own: bool = False) -> Right:
    return Right(roles, Where.HUB, own)


RIGHTS: dict[str, Right] = {
    "static": ANYBODY,
    "access.grant": here(HOST),
    "access.withdraw": here(HOST),
    "accounts.add": hub(ADMINISTRATOR),
    "accounts.close": hub(ADMINISTRATOR),
    "accounts.end_sessions": hub(ADMINISTRATOR),
    "accounts.listing": hub(ADMINISTRATOR),
    "accounts.one": hub(ADMINISTRATOR),
    "accounts.reset_second_factor": hub(ADMINISTRATOR),
    "accounts.set_password": hub(ADMINISTRATOR),
    "accounts.set_roles": hub(ADMINISTRATOR),
    "billing.set_price": here(BILLING),
    "bookings.book": here(HOST, BILLING, own=True),
    "bookings.cancel": here(HOST, BILLING, own=True),
    "bookings.new": anywhere(HOST, BILLING),
    "bookings.show": here(HOST, BILLING),
    "bookings.week": anywhere(HOST, BILLING),
    "box_api.ask": ANYBODY,
    "box_api.reveal": ANYBODY,
    "box_api.standing": ANYBODY,
    "boxes.approve": here(HOST, CARETAKER),
    "boxes.listing": anywhere(HOST, CARETAKER),
    "boxes.refuse": anywhere(HOST, CARETAKER),
    "boxes.show": anywhere(HOST, CARETAKER),
    "boxes.state": anywhere(HOST, CARETAKER),
    "changing.ask_theft": here(ADMINISTRATOR),
    "changing.mark_stolen": here(ADMINISTRATOR),
    "changing.move": here(HOST),
    "changing.putting_out": here(HOST, CARETAKER),
    "confirming.confirm": SIGNED_IN,
    "confirming.show": SIGNED_IN,
    "doors.add": here(HOST),
    "doors.change_log": here(HOST),
    "doors.command": here(HOST, CARETAKER),
    "doors.new": anywhere(HOST),
    "doors.open_once": here(HOST, CARETAKER),
    "doors.retire": here(HOST),
    "doors.set_mode": here(HOST, CARETAKER),
    "doors.show": here(HOST, CARETAKER),
    "doors.state": here(HOST, CARETAKER),
    "exchange.block_all": anywhere(HOST),
    "exchange.exchange": anywhere(HOST),
    "exchange.show": anywhere(HOST),
    "federated.back": ANYBODY,
    "federated.begin": ANYBODY,
    "federated.remove": SIGNED_IN,
    "importing.apply": hub(HOST),
    "importing.drop": hub(HOST),
    "importing.file": hub(HOST),
    "importing.report": hub(HOST),
    "importing.show": hub(HOST),
    "importing.upload": hub(HOST),
    "invoices.close": hub(BILLING),
    "invoices.listing": hub(BILLING),
    "invoices.pdf": hub(BILLING, own=True),
    "invoices.show": hub(BILLING, own=True),
    "invoices.show_month": hub(BILLING),
    "invoices.text": hub(BILLING, own=True),
    "ledger.show": here(HOST, BILLING),
    "links.ask": ANYBODY,
    "links.choose": ANYBODY,
    "links.look": ANYBODY,
    "links.use": ANYBODY,
    "links.which": ANYBODY,
    "lock_down.begin": here(HOST),
    "lock_down.doors_now": here(HOST),
    "lock_down.lift": here(HOST),
    "lock_down.show": here(HOST),
    "me.app": SIGNED_IN,
    "me.end_others": SIGNED_IN,
    "me.end_session": OWN,
    "me.make_codes": SIGNED_IN,
    "me.password": SIGNED_IN,
    "me.remove_app": SIGNED_IN,
    "me.set_password": SIGNED_IN,
    "me.set_up_app": SIGNED_IN,
    "me.show": SIGNED_IN,
    "me.sign_in": SIGNED_IN,
    "messages.choices": SIGNED_IN,
    "messages.choose": anywhere(MEMBER),
    "messages.leave": anywhere(HOST),
    "messages.leave_all": anywhere(HOST),
    "messages.listing": anywhere(HOST),
    "messages.send_again": anywhere(HOST),
    "notices.door": ANYBODY,
    "notices.hub": ANYBODY,
    "notices.site": SIGNED_IN,
    "notices.staff": anywhere(*STAFF),
    "own.add_hours": here(HOST),
    "own.change_rules": here(HOST),
    "own.let_wait": here(HOST),
    "own.take_hours_away": here(HOST),
    "passkeys.add": SIGNED_IN,
    "passkeys.asking": ANYBODY,
    "passkeys.confirm": SIGNED_IN,
    "passkeys.remove": OWN,
    "passkeys.rename": OWN,
    "passkeys.sign_in": ANYBODY,
    "people.add": anywhere(HOST, BILLING),
    "people.change": anywhere(HOST, BILLING),
    "people.edit": anywhere(HOST, BILLING),
    "people.give_longer": anywhere(HOST),
    "people.listing": anywhere(HOST, BILLING),
    "people.new": anywhere(HOST, BILLING),
    "people.resume": anywhere(HOST),
    "people.show": anywhere(HOST, BILLING),
    "people.suspend": anywhere(HOST),
    "people.taps": anywhere(HOST),
    "places.add_area": here(HOST),
    "places.add_site": hub(HOST),
    "places.add_space": here(HOST),
    "places.change": here(HOST),
    "places.edit": here(HOST),
    "places.listing": anywhere(HOST),
    "places.new_area": anywhere(HOST),
    "places.new_site": hub(HOST),
    "places.new_space": anywhere(HOST),
    "places.show": here(HOST, BILLING),
    "privacy.answer": hub(HOST),
    "privacy.ask": anywhere(MEMBER),
    "privacy.desk": hub(HOST),
    "privacy.erase": hub(ADMINISTRATOR),
    "privacy.erasure": hub(ADMINISTRATOR),
    "privacy.export": hub(HOST),
    "privacy.export_own": anywhere(MEMBER),
    "privacy.freeze": here(HOST),
    "privacy.lift": here(HOST),
    "privacy.of_person": hub(HOST),
    "privacy.own": anywhere(MEMBER),
    "privacy.record": hub(ADMINISTRATOR),
    "reports.show": anywhere(REPORTS, BILLING, HOST),
    "signing_in.give_code": ANYBODY,
    "signing_in.give_recovery_code": ANYBODY,
    "signing_in.language": ANYBODY,
    "signing_in.second": ANYBODY,
    "signing_in.show": ANYBODY,
    "signing_in.sign_in": ANYBODY,
    "signing_in.sign_out": SIGNED_IN,
    "signs.sign": here(HOST, CARETAKER),
    "signs.why": ANYBODY,
    "tags.ask": here(HOST),
    "tags.block": anywhere(HOST),
    "tags.capture": anywhere(HOST),
    "tags.hand_out": anywhere(HOST),
    "tags.take_back": anywhere(HOST),
    "tags.unblock": anywhere(HOST),
    "today.doors_now": anywhere(*STAFF),
    "today.show": anywhere(*STAFF),
    "today.taps": anywhere(*STAFF),
}
