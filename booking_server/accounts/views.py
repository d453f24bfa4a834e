# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may sign in, as what and where: for administrators of the hub."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from flask import Blueprint, flash, redirect, render_template
from flask_babel import gettext, lazy_gettext
from werkzeug.wrappers import Response

from booking_server.accounts import resetting, sessions
from booking_server.accounts import service as accounts
from booking_server.accounts.ways import ways_of
from booking_server.actors import STAFF, Holds, Role
from booking_server.errors import Invalid
from booking_server.places import service as places
from booking_server.web.confirming import confirmed
from booking_server.web.forms import Form
from booking_server.web.request import actor, config, database, now

pages = Blueprint("accounts", __name__, template_folder="templates")
Answer = str | Response | tuple[str, int] | tuple[str, int, dict[str, str]]

ROLES = {
    Role.HOST: (lazy_gettext("Host"), lazy_gettext("People, keytags, access, doors, bookings.")),
    Role.BILLING: (lazy_gettext("Billing"), lazy_gettext("People, bookings, months and invoices.")),
    Role.CARETAKER: (lazy_gettext("Caretaker"), lazy_gettext("Doors and their boxes; no people.")),
    Role.REPORTS: (lazy_gettext("Reader of reports"), lazy_gettext("Sums and counts; changes nothing.")),
    Role.ADMINISTRATOR: (lazy_gettext("Administrator"), lazy_gettext("Everything; in the whole hub also the accounts.")),
    Role.MEMBER: (lazy_gettext("Member"), ""),
}
"""Each role as it is called, and what it may do."""


@pages.get("/accounts")
def listing() -> Answer:
    return _page(Form.empty(role="host"))


@pages.post("/accounts")
@confirmed
def add() -> Answer:
    form = Form.posted()
    try:
        with database().write() as tx:
            made = accounts.add_account(
                tx,
                actor(),
                now=now(),
                sign_in_name=form.text("sign_in_name"),
                name=form.text("name"),
                role=_role(form),
                site_id=_site(form),
                password=form.value("password"),
                hub_name=config().name,
            )
    except Invalid as problem:
        return _page(form.refuse(problem)), 422
    flash(gettext("%(name)s may sign in now.", name=made.sign_in_name))
    return redirect("/accounts", 303)


@pages.post("/accounts/<int:account_id>/closing")
@confirmed
def close(account_id: int) -> Answer:
    with database().write() as tx:
        closed = accounts.close_account(tx, actor(), now=now(), account_id=account_id)
    flash(gettext("%(name)s can no longer sign in.", name=closed.sign_in_name))
    return redirect("/accounts", 303)


@pages.get("/accounts/<int:account_id>")
def one(account_id: int) -> Answer:
    return _account_page(account_id, Form.empty())


@pages.post("/accounts/<int:account_id>/roles")
@confirmed
def set_roles(account_id: int) -> Answer:
    form = Form.posted()
    try:
        with database().write() as tx:
            held = {(role, site) for role, site in accounts.existing_account(tx, account_id).by_hand if role not in STAFF}
            wanted = held | {_held(value) for value in form.values("roles")}
            changed = accounts.set_roles(tx, actor(), now=now(), account_id=account_id, roles=wanted)
    except Invalid as problem:
        return _account_page(account_id, form.refuse(problem)), 422
    flash(gettext("%(name)s may do this from now on.", name=changed.sign_in_name))
    return redirect(f"/accounts/{account_id}", 303)


@pages.post("/accounts/<int:account_id>/sessions/ending")
def end_sessions(account_id: int) -> Answer:
    with database().write() as tx:
        ended = sessions.end_all(tx, actor(), now=now(), account_id=account_id)
    flash(gettext("Sessions ended: %(count)s", count=ended))
    return redirect(f"/accounts/{account_id}", 303)


@pages.post("/accounts/<int:account_id>/password")
@confirmed
def set_password(account_id: int) -> Answer:
    form = Form.posted()
    if account_id == actor().account_id:
        return redirect("/me/sign-in/password", 303)
    try:
        with database().write() as tx:
            word, hub = form.value("password"), config().name
            changed = accounts.set_password(tx, actor(), now=now(), account_id=account_id, password=word, hub_name=hub)
    except Invalid as problem:
        return _account_page(account_id, form.refuse(problem)), 422
    flash(gettext("%(name)s has a new password, and is signed in nowhere.", name=changed.sign_in_name))
    return redirect(f"/accounts/{account_id}", 303)


@pages.post("/accounts/<int:account_id>/second-factor/resetting")
@confirmed
def reset_second_factor(account_id: int) -> Answer:
    with database().write() as tx:
        resetting.reset_second_factor(tx, actor(), now=now(), account_id=account_id)
    flash(gettext("Forgotten. The password is enough once more, to set up new ones."))
    return redirect(f"/accounts/{account_id}", 303)


def _held(value: str) -> Holds:
    """Return what a tick "host:3" or "host:" stands for. Raise Invalid."""
    role, _, site = value.partition(":")
    if role not in STAFF or not (site == "" or (site.isascii() and site.isdigit() and len(site) < 10)):
        raise Invalid("roles", "Choose from the list.")
    return Role(role), int(site) if site else None


def _role(form: Form) -> Role:
    role = form.text("role")
    if role not in STAFF:
        raise Invalid("role", "Choose what the account may do.")
    return Role(role)


def _site(form: Form) -> int | None:
    return form.choice("site_id") if form.text("site_id") else None


def _page(form: Form) -> str:
    with database().read() as tx:
        found = [account for account in accounts.accounts(tx, actor()) if not account.closed]
        sites = [(site.id, site.name) for site in places.sites(tx)]
    choices = [(role.value, *words) for role, words in ROLES.items() if role in STAFF]
    return render_template(
        "accounts/listing.html", accounts=found, form=form, choices=choices, sites=sites, in_words=_in_words(dict(sites))
    )


def _account_page(account_id: int, form: Form) -> str:
    actor().must_be_everywhere()
    with database().read() as tx:
        account = accounts.existing_account(tx, account_id)
        sites = [(site.id, site.name) for site in places.sites(tx)]
        going_on, ways = sessions.sessions_of(tx, now=now(), account_id=account_id), ways_of(tx, account)
    if not form.error("roles"):
        errors, form = form.errors, Form.empty(roles=[f"{role}:{site or ''}" for role, site in account.by_hand])
        form.errors = errors
    where = [(None, gettext("The whole hub")), *sites]
    choices = [
        (name, [(f"{role}:{site_id or ''}", words[0]) for role, words in ROLES.items() if role in STAFF])
        for site_id, name in where
    ]
    return render_template(
        "accounts/account.html",
        account=account,
        ways=ways,
        form=form,
        choices=choices,
        sessions=going_on,
        in_words=_in_words(dict(sites)),
    )


def _in_words(sites: dict[int, str]) -> Callable[[Iterable[Holds]], list[str]]:
    """Return what says of roles what they are and where they hold."""

    def words(roles: Iterable[Holds]) -> list[str]:
        ordered = sorted(roles, key=lambda held: (held[1] or 0, held[0]))
        return [str(ROLES[role][0]) if site is None else f"{ROLES[role][0]}, {sites.get(site, '')}" for role, site in ordered]

    return words
