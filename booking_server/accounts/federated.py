# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who somebody is here whom a provider vouches for: known by a link of issuer and subject, by a group of theirs, or as a member
by a verified e-mail address that is one active person's.

An account that staff gave a role by hand is never taken over by an e-mail address: its owner links it themselves. Roles that
came by a group are set anew at each sign-in; those given by hand stay.
"""

from __future__ import annotations

from datetime import datetime
from typing import NoReturn

import structlog
from sqlalchemy import Connection, delete, func, insert, select, update

from booking_server.accounts import service as accounts
from booking_server.accounts.openid import Claims, Refused
from booking_server.accounts.service import Account
from booking_server.accounts.sessions import STAFF_LIFE
from booking_server.accounts.tables import accounts as account_table
from booking_server.accounts.tables import federated_links, passkeys
from booking_server.accounts.telling import tell_change
from booking_server.actors import SYSTEM, Actor, Holds, Role
from booking_server.audit import service as audit
from booking_server.config import Federated
from booking_server.errors import Invalid
from booking_server.people import service as people
from booking_server.people.service import Person
from booking_server.places import service as places

log = structlog.get_logger()


def account_of(tx: Connection, claims: Claims, settings: Federated, *, now: datetime) -> Account:
    """Return the account, made now if there is none yet, with just the roles that its groups have today. Raise Refused."""
    roles = roles_of(tx, settings, claims.groups)
    found = linked(tx, claims) or _known(tx, claims, settings, roles, now)
    if found.closed:
        raise Refused("Your account here is closed. Ask the hub's staff.")
    used = (federated_links.c.issuer == claims.issuer) & (federated_links.c.subject == claims.subject)
    tx.execute(update(federated_links).where(used).values(used_at=now))
    return accounts.set_federated_roles(tx, now=now, account_id=found.id, roles=roles)


def must_have_a_role(account: Account, settings: Federated) -> None:
    """Raise Refused for an account that may do nothing here any more."""
    if not account.roles:
        raise Refused("None of your groups at {name} has a role here any more. Ask the staff.", name=settings.name)


def let_lapse(tx: Connection, account: Account, *, now: datetime) -> Account:
    """Return the account without the roles of its groups if they were last looked at longer ago than a session of then lasts:
    who signs in another way since would keep for good what ended there."""
    last = tx.execute(select(func.max(federated_links.c.used_at)).filter_by(account_id=account.id)).scalar()
    if last is not None and now - last < STAFF_LIFE:
        return account
    return accounts.set_federated_roles(tx, now=now, account_id=account.id, roles=())


def roles_of(tx: Connection, settings: Federated, groups: frozenset[str]) -> frozenset[Holds]:
    """Return what these groups may do here. A site that is not here gives nothing, and is logged."""
    sites = {site.name: site.id for site in places.sites(tx)}
    held: set[Holds] = set()
    for group in groups & settings.roles.keys():
        role, site = settings.role_of(group)
        if site and site not in sites:
            log.warning("federated_site_unknown", site=site)
        else:
            held.add((Role(role), sites[site] if site else None))
    return frozenset((role, site_id) for role, site_id in held if site_id is None or (role, None) not in held)


def linked(tx: Connection, claims: Claims) -> Account | None:
    """Return the account that is linked with this subject; None if none is."""
    which = {"issuer": claims.issuer, "subject": claims.subject}
    number = tx.execute(select(federated_links.c.account_id).filter_by(**which)).scalar()
    return None if number is None else accounts.account(tx, number)


def is_linked(tx: Connection, account_id: int, issuer: str) -> bool:
    """True if the account is known to this issuer."""
    return tx.execute(select(federated_links.c.id).filter_by(account_id=account_id, issuer=issuer)).first() is not None


def link(tx: Connection, actor: Actor, claims: Claims, settings: Federated, *, now: datetime) -> None:
    """Let the actor's own account be signed in by this subject from now on. Raise Refused if it is another account's."""
    known = linked(tx, claims)
    if known is not None and known.id != actor.account_id:
        raise Refused("This account elsewhere signs in somebody else here. Ask an administrator of the hub.")
    if known is None:
        _keep(tx, claims, actor.account_id or 0, now)
        audit.note(tx, actor, now=now, act="federated_linked", subject=f"account:{actor.account_id}", issuer=claims.issuer)
        own = accounts.existing_account(tx, actor.account_id or 0)
        tell_change(tx, own, now=now, change="linked", name=settings.name)


def unlink(tx: Connection, actor: Actor, *, now: datetime, issuer: str) -> None:
    """Let the actor's own account be signed in from there no longer, and drop what came with it. Raise Invalid."""
    own = accounts.existing_account(tx, actor.account_id or 0)
    if not own.has_password and not _has_passkey(tx, own.id):
        raise Invalid("federated", "This is your only way to sign in. Add a passkey or a password first.")
    tx.execute(delete(federated_links).filter_by(account_id=own.id, issuer=issuer))
    accounts.set_federated_roles(tx, now=now, account_id=own.id, roles=())
    audit.note(tx, actor, now=now, act="federated_unlinked", subject=f"account:{own.id}", issuer=issuer)


def _known(tx: Connection, claims: Claims, settings: Federated, roles: frozenset[Holds], now: datetime) -> Account:
    """Return the account of somebody who comes from there for the first time, linked from now on. Raise Refused."""
    person = _person(tx, claims, settings)
    account = accounts.account_of_person(tx, person.id) if person else None
    if account is not None and (account.by_hand - {(Role.MEMBER, None)} or is_linked(tx, account.id, claims.issuer)):
        _refuse_takeover(settings)
    if person is None and not roles:
        _refuse_unknown(claims, settings)
    if account is None:
        account = _made(tx, claims, settings, person, now)
    _keep(tx, claims, account.id, now)
    audit.note(tx, account.actor(), now=now, act="federated_linked", subject=f"account:{account.id}", issuer=claims.issuer)
    return account


def _person(tx: Connection, claims: Claims, settings: Federated) -> Person | None:
    """Return the one active person with the verified address; None if there is none, or if more than one have it."""
    if not claims.email or settings.members != "email":
        return None
    found = people.people(tx, SYSTEM, search=claims.email)
    same = [one for one in found if one.active and one.email.strip().lower() == claims.email]
    return same[0] if len(same) == 1 else None


def _made(tx: Connection, claims: Claims, settings: Federated, person: Person | None, now: datetime) -> Account:
    """Make the account, of a member or of somebody who is known by their groups only. Raise Refused."""
    name = claims.email or f"{settings.name} {claims.subject}"[: accounts.NAME_LENGTH].lower()
    if tx.execute(select(account_table.c.id).filter_by(sign_in_name=name)).first():
        _refuse_takeover(settings)
    if person is not None:
        _check_not_shut_out(tx, person)
        return accounts.add_account(
            tx, SYSTEM, now=now, sign_in_name=name, name=person.name, role=Role.MEMBER, password=None, person_id=person.id
        )
    row = {"sign_in_name": name, "name": claims.name or name, "created_at": now}
    number = int(tx.execute(insert(account_table).values(row).returning(account_table.c.id)).scalar_one())
    audit.note(tx, SYSTEM, now=now, act="account_added", subject=f"account:{number}", issuer=claims.issuer)
    return accounts.existing_account(tx, number)


def _check_not_shut_out(tx: Connection, person: Person) -> None:
    """Raise Refused if the person had an account that was closed: that they are out was somebody's decision."""
    if tx.execute(select(account_table.c.id).filter_by(person_id=person.id)).first():
        raise Refused("Your account here is closed. Ask the hub's staff.")


def _refuse_unknown(claims: Claims, settings: Federated) -> NoReturn:
    if settings.members != "email":
        raise Refused(
            "No account here is connected with {name} yet, and none of your groups there has a role here. Sign in another way"
            " first, and connect it on your page Sign-in.",
            name=settings.name,
        )
    if not claims.email:
        raise Refused(
            "{name} vouches for no e-mail address of yours, and none of your groups there has a role here. Ask the staff.",
            name=settings.name,
        )
    raise Refused(
        "Not exactly one member here has the address {email}, and none of your groups at {name} has a role here. Ask the"
        " staff.",
        email=claims.email,
        name=settings.name,
    )


def _refuse_takeover(settings: Federated) -> NoReturn:
    raise Refused(
        "You have an account here already. Sign in to it another way first, and connect it with {name} on your page Sign-in.",
        name=settings.name,
    )


def _keep(tx: Connection, claims: Claims, account_id: int, now: datetime) -> None:
    row = {"account_id": account_id, "issuer": claims.issuer, "subject": claims.subject, "linked_at": now, "used_at": now}
    tx.execute(insert(federated_links).values(row))


def _has_passkey(tx: Connection, account_id: int) -> bool:
    return tx.execute(select(passkeys.c.id).filter_by(account_id=account_id)).first() is not None
