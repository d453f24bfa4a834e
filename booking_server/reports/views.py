# SPDX-License-Identifier: AGPL-3.0-or-later
"""The page of reports: how each space was used in a month, in counts and sums. It names nobody and changes nothing."""

from __future__ import annotations

from datetime import date

from flask import Blueprint, render_template, request

from booking_server import civil
from booking_server.actors import Role
from booking_server.billing import service as billing
from booking_server.billing.service import UseOfSpace
from booking_server.invoices import rules
from booking_server.places import naming
from booking_server.places import service as places
from booking_server.web.request import actor, config, database, now
from booking_server.web.wording import zone

pages = Blueprint("reports", __name__, template_folder="templates")


@pages.get("/reports")
def show() -> str:
    actor().must_be(Role.REPORTS, Role.BILLING, Role.HOST)
    running = civil.month_of(civil.service_day(now(), zone()))
    asked = rules.first_day(request.args.get("month", "") or running)
    month = civil.month_of(asked)
    with database().read() as tx:
        used = billing.use_of_month(tx, actor(), month=month, demo=config().demo)
        names = naming.full_names(places.areas(tx))
    return render_template(
        "reports/month.html",
        month=month,
        running=month == running,
        before=civil.month_of(date.fromordinal(asked.toordinal() - 1)),
        after=rules.month_after(month) if month < running else None,
        used=sorted(used, key=lambda one: names[one.space_id].casefold()),
        names=names,
        total=_total(used),
    )


def _total(used: list[UseOfSpace]) -> UseOfSpace:
    return UseOfSpace(
        space_id=0,
        entries=sum(one.entries for one in used),
        booked_hours=sum(one.booked_hours for one in used),
        net_cents=sum(one.net_cents for one in used),
    )
