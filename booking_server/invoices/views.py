# SPDX-License-Identifier: AGPL-3.0-or-later
"""The pages of months and invoices: what a month waits for, its closing, and each invoice with what every line rests on."""

from __future__ import annotations

from flask import Blueprint, Response, flash, redirect, render_template, request
from flask_babel import get_locale, ngettext
from werkzeug.wrappers import Response as AnyResponse

from booking_server.actors import Role
from booking_server.doors import service as doors
from booking_server.errors import Invalid
from booking_server.invoices import service as invoices
from booking_server.invoices.pdf import pdf_of
from booking_server.invoices.service import Invoice
from booking_server.invoices.text import text_of
from booking_server.people import service as people
from booking_server.people.service import Person
from booking_server.web.forms import Form
from booking_server.web.looking import looked
from booking_server.web.request import actor, config, database, now

pages = Blueprint("invoices", __name__, template_folder="templates")
Answer = str | AnyResponse | tuple[str, int]


@pages.get("/months")
def listing() -> Answer:
    with database().read() as tx:
        months = invoices.months_so_far(tx, actor(), now=now())
    return render_template("invoices/months.html", months=months)


@pages.get("/months/<month>")
def show_month(month: str) -> Answer:
    return _month_page(month, Form.empty())


@pages.post("/months/<month>/closing")
def close(month: str) -> Answer:
    form = Form.posted()
    try:
        with database().write() as tx:
            made = invoices.close_month(
                tx,
                actor(),
                now=now(),
                month=month,
                seller=config().seller,
                demo=config().demo,
                left_open=form.text("left_open"),
            )
    except Invalid as problem:
        return _month_page(month, form.refuse(problem)), 422
    flash(ngettext("The month is closed: %(num)s invoice.", "The month is closed: %(num)s invoices.", len(made)))
    return redirect(f"/months/{month}", 303)


@pages.get("/invoices/<int:invoice_id>")
def show(invoice_id: int) -> Answer:
    with database().read() as tx:
        found = invoices.invoice(tx, actor(), invoice_id)
        page = render_template("invoices/invoice.html", invoice=found)
    _looked(found)
    return page


@pages.get("/invoices/<int:invoice_id>.pdf")
def pdf(invoice_id: int) -> Answer:
    language = _language()
    made = pdf_of(database(), actor(), invoice_id=invoice_id, language=language)
    with database().read() as tx:
        found = invoices.invoice(tx, actor(), invoice_id)
    _looked(found)
    return _file(made, "application/pdf", invoice_id, language, "pdf")


@pages.get("/invoices/<int:invoice_id>.txt")
def text(invoice_id: int) -> Answer:
    language = _language()
    with database().read() as tx:
        found = invoices.invoice(tx, actor(), invoice_id)
    _looked(found)
    return _file(text_of(found.content, language).encode(), "text/plain; charset=utf-8", invoice_id, language, "txt")


@pages.app_template_global()
def invoices_of(person: Person) -> list[Invoice]:
    """Return the invoices to whoever pays for a person, newest first; none where the reader may not see invoices."""
    if not actor().may_everywhere(Role.BILLING):
        return []
    with database().read() as tx:
        return invoices.invoices_of_person(tx, actor(), person.id)


def _month_page(month: str, form: Form) -> str:
    with database().read() as tx:
        state = invoices.month_state(tx, actor(), month=month, now=now(), demo=config().demo)
        made = invoices.invoices_of_month(tx, actor(), month)
        names = {door.id: door.name for door in doors.doors(tx)}
    return render_template("invoices/month.html", state=state, invoices=made, door_names=names, form=form)


def _looked(invoice: Invoice) -> None:
    """An invoice says which spaces were used on which days: who of the staff opened it is recorded for those it is about."""
    with database().read() as tx:
        payers = people.payers(tx)
    looked("invoice_seen", [person for person, customer in payers.items() if customer == invoice.customer_id])


def _language() -> str:
    return request.args.get("language") or str(get_locale())


def _file(content: bytes, kind: str, invoice_id: int, language: str, ending: str) -> Response:
    name = f"invoice-{invoice_id}-{language}.{ending}"
    return Response(content, content_type=kind, headers={"Content-Disposition": f'inline; filename="{name}"'})
