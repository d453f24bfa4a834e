# SPDX-License-Identifier: AGPL-3.0-or-later
"""From a proof to a session: on to the second step where the account has one, else signed in.

Between the two steps there is no session. What the browser holds is signed, names the account and what was proven, is good for
five minutes, and is worth nothing once the password changed or the account was closed.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from flask import flash, redirect, session
from flask_babel import gettext
from werkzeug.wrappers import Response

from booking_server.accounts import federated, signing_in
from booking_server.accounts import service as accounts
from booking_server.accounts.service import Account
from booking_server.accounts.ways import Ways, needs_second, ways_of
from booking_server.web import session as signed
from booking_server.web.request import address, config, database, device, now

HALF_WAY_FOR = timedelta(minutes=5)
PATH_LENGTH = 400
"""A longer one would make a cookie that browsers refuse."""
_HALF = "half"


@dataclass(frozen=True, slots=True)
class HalfWay:
    """Somebody who has passed the first step: by `how`, on the way to the page `after`. `ways` is what the account has."""

    account: Account
    ways: Ways
    how: tuple[str, ...]
    after: str


def go_on(account: Account, *, how: Collection[str], after: str) -> Response:
    """Sign in who has proven who they are, or send them to the second step if their account has one."""
    with database().read() as tx:
        more, mark = needs_second(config(), account, ways_of(tx, account)), signing_in.mark_of(tx, account.id)
    if not more or "mfa" in how:
        return finish(account, how=how, after=after)
    until = now() + HALF_WAY_FOR
    session[_HALF] = {"account": account.id, "how": sorted(how), "until": until.timestamp(), "mark": mark, "after": after}
    return redirect("/sign-in/second", 303)


def half_way() -> HalfWay | None:
    """Return who has passed the first step in this browser, not long ago; None if nobody has."""
    kept = session.get(_HALF)
    if not isinstance(kept, dict) or now().timestamp() >= kept["until"]:
        return None
    with database().read() as tx:
        account = accounts.account(tx, kept["account"])
        if account is None or account.closed or signing_in.mark_of(tx, account.id) != kept["mark"]:
            return None
        return HalfWay(account, ways_of(tx, account), tuple(kept["how"]), kept["after"])


def finish(account: Account, *, how: Collection[str], after: str) -> Response:
    """Begin the session and lead to the page that somebody wanted, or to the first of theirs.

    Roles that came with a group elsewhere lapse for who has not come from there for long.
    """
    lapsed = False
    if account.federated and "federated" not in how:
        with database().write() as tx:
            before, account = account, federated.let_lapse(tx, account, now=now())
        lapsed = account.federated != before.federated
    signed.begin(database(), session, account, now=now(), how=how, address=address(), device=device())
    if lapsed:
        name = config().sign_in.federated.name
        flash(
            gettext("What your groups at %(name)s let you do here has lapsed. Sign in there to have it again.", name=name),
            "care",
        )
    return redirect(first_page(account) if after == "/" else after, 303)


def first_page(account: Account) -> str:
    """Return where somebody begins: staff at what happens today, a member at their own page."""
    return "/" if account.actor().is_staff else "/me"


def local(path: str) -> str:
    """Return `path` if it is one of this server's pages, else the first page: nobody is sent elsewhere from here."""
    safe = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if safe and len(path) <= PATH_LENGTH else "/"
