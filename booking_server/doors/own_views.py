# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a door does by itself, as staff set it: its unlocking hours, and its rules when it does not know something."""

from __future__ import annotations

from flask import Blueprint, flash, redirect
from flask_babel import gettext
from werkzeug.wrappers import Response

from access_contract.snapshot import DoorRules
from access_contract.vocabulary import Assurance
from booking_server.doors import alone, hours
from booking_server.doors.views import door_page
from booking_server.errors import Invalid
from booking_server.web.confirming import confirmed
from booking_server.web.forms import Form
from booking_server.web.request import actor, database, now

pages = Blueprint("own", __name__)
Answer = str | Response | tuple[str, int]


@pages.post("/doors/<door_id>/hours")
@confirmed
def add_hours(door_id: str) -> Answer:
    form = Form.posted()
    try:
        days, first, last = form.weekdays("weekdays"), form.time("from_time"), form.time("until_time")
        with database().write() as tx:
            hours.add_hours(tx, actor(), now=now(), door_id=door_id, weekdays=days, from_time=first, until_time=last)
    except Invalid as problem:
        return door_page(door_id, hours_form=form.refuse(problem)), 422
    return redirect(f"/doors/{door_id}#own", 303)


@pages.post("/hours/<int:hours_id>/removal")
def take_hours_away(hours_id: int) -> Answer:
    with database().write() as tx:
        found = hours.take_hours_away(tx, actor(), now=now(), hours_id=hours_id)
    return redirect(f"/doors/{found.door_id}#own", 303)


@pages.post("/doors/<door_id>/waiting")
def let_wait(door_id: str) -> Answer:
    waits = Form.posted().ticked("waits")
    with database().write() as tx:
        hours.let_wait(tx, actor(), now=now(), door_id=door_id, waits=waits)
    return redirect(f"/doors/{door_id}#own", 303)


@pages.post("/doors/<door_id>/rules")
def change_rules(door_id: str) -> Answer:
    form = Form.posted()
    try:
        days, rules = form.number("snapshot_expiry_days"), _rules(form)
        with database().write() as tx:
            alone.change_rules(tx, actor(), now=now(), door_id=door_id, rules=rules, snapshot_expiry_days=days)
    except Invalid as problem:
        return door_page(door_id, rules_form=form.refuse(problem)), 422
    flash(gettext("Saved. The door learns of it at once, or when it is online again."))
    return redirect(f"/doors/{door_id}#own", 303)


def _rules(form: Form) -> DoorRules:
    """Return the rules that the form ticks; one that stands in no form keeps what it is without a word."""
    try:
        assurance = Assurance(form.choice("minimum_assurance"))
    except ValueError:
        raise Invalid("minimum_assurance", "Choose one from the list.") from None
    return DoorRules(
        minimum_assurance=assurance,
        untrusted_clock_admits=form.ticked("untrusted_clock_admits"),
        expired_snapshot_admits_standing=form.ticked("expired_snapshot_admits_standing"),
        full_space_admits_alone=form.ticked("full_space_admits_alone"),
        used_quota_admits_alone=form.ticked("used_quota_admits_alone"),
        unknown_alarm_admits_alone=form.ticked("unknown_alarm_admits_alone"),
    )
