# SPDX-License-Identifier: AGPL-3.0-or-later
"""Giving access from a person's page, and withdrawing it."""

from __future__ import annotations

from flask import Blueprint, flash, redirect
from flask_babel import gettext
from werkzeug.wrappers import Response

from booking_server.access import service as access
from booking_server.access.wording import is_over, powers_in_words, span_in_words
from booking_server.errors import Invalid
from booking_server.people.views import person_page
from booking_server.web.forms import Form
from booking_server.web.request import actor, database, now

pages = Blueprint("access", __name__)
pages.add_app_template_filter(span_in_words)
pages.add_app_template_filter(powers_in_words)
pages.add_app_template_test(is_over, "over")
Answer = str | Response | tuple[str, int]


@pages.post("/people/<int:person_id>/grants")
def grant(person_id: int) -> Answer:
    form = Form.posted()
    try:
        with database().write() as tx:
            access.grant_access(
                tx,
                actor(),
                now=now(),
                person_id=person_id,
                area_id=form.choice("area_id"),
                from_day=form.day("from_day"),
                until_day=form.day_or_none("until_day"),
                weekdays=form.weekdays("weekdays"),
                from_time=form.time("from_time"),
                until_time=form.time("until_time"),
                standing=form.ticked("standing"),
                passes_lock_down=form.ticked("passes_lock_down"),
                may_disarm=form.ticked("may_disarm"),
                starts_unlocking=form.ticked("starts_unlocking"),
            )
    except Invalid as problem:
        return person_page(person_id, grant_form=form.refuse(problem), grant_open=True), 422
    flash(gettext("Access granted. The doors learn of it at once, or when they are online again."))
    return redirect(f"/people/{person_id}", 303)


@pages.post("/grants/<int:grant_id>/withdrawal")
def withdraw(grant_id: int) -> Answer:
    with database().write() as tx:
        found = access.withdraw_access(tx, actor(), now=now(), grant_id=grant_id)
    flash(gettext("Access withdrawn. A door that is offline learns of it when it is online again."))
    return redirect(f"/people/{found.person_id}", 303)
