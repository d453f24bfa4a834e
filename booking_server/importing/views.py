# SPDX-License-Identifier: AGPL-3.0-or-later
"""The pages of imports: choose a file, see what becomes of each row, say yes to just that; and what the roster did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, flash, make_response, redirect, render_template, request
from flask_babel import gettext, ngettext
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from booking_server.actors import Role
from booking_server.errors import Invalid
from booking_server.importing import runs, uploads, wording
from booking_server.importing.applying import import_people
from booking_server.importing.planning import Fate, FateKind, Options, Plan, plan
from booking_server.importing.reading import sheet_of
from booking_server.importing.report import csv_of
from booking_server.importing.rosters import options_of
from booking_server.importing.rules import UPLOAD_BYTES_MAX
from booking_server.importing.runs import Run
from booking_server.importing.uploads import Upload
from booking_server.places import service as places
from booking_server.web.confirming import confirmed
from booking_server.web.forms import Form, say
from booking_server.web.request import actor, config, database, keys, now

pages = Blueprint("importing", __name__, template_folder="templates")
Answer = str | Response | tuple[str, int]

SHOWN_MAX = 100
BEYOND = 256 * 1024
"""A file a little too large still gets a sentence of its own; one far beyond is not taken in at all."""
ORDER = (FateKind.REFUSED, FateKind.NEW, FateKind.CHANGED, FateKind.SAME)

pages.add_app_template_filter(wording.column_name)
pages.add_app_template_filter(say, "said")


@pages.url_value_preprocessor
def _let_a_file_in(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """Before anything reads the form: here, and only here, it may be as large as a file."""
    if endpoint == "importing.upload":
        request.max_content_length = UPLOAD_BYTES_MAX + BEYOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A file, how it is read, and what it would do."""

    upload: Upload
    options: Options
    made: Plan

    @property
    def first(self) -> list[Fate]:
        """Return the rows that a page shows: refused ones before all others."""
        return sorted(self.made.fates, key=lambda fate: (ORDER.index(fate.kind), fate.number))[:SHOWN_MAX]


@pages.get("/people/import")
@confirmed
def file() -> Answer:
    return _file(Form.empty())


@pages.post("/people/import")
@confirmed
def upload() -> Answer:
    actor().must_be_everywhere(Role.HOST)
    chosen, form = request.files.get("file"), Form.posted()
    try:
        content = chosen.read() if chosen else b""
        if not content:
            raise Invalid("file", "Choose a file that is not empty.")
        sheet_of(content, most=UPLOAD_BYTES_MAX)
        site = form.choice("site") if form.text("site") else 0
        with database().write() as tx:
            name = (chosen.filename if chosen else "") or "file"
            number = uploads.put(tx, actor(), now=now(), vault=keys().vault, name=name, content=content)
    except Invalid as problem:
        return _file(form.refuse(problem)), 422
    return redirect(f"/people/import/{number}{f'?site={site}' if site else ''}", 303)


@pages.get("/people/import/<int:upload_id>")
@confirmed
def show(upload_id: int) -> Answer:
    return _show(upload_id, Form.empty())


@pages.post("/people/import/<int:upload_id>")
@confirmed
def apply(upload_id: int) -> Answer:
    form = Form.posted()
    try:
        with database().write() as tx:
            waiting = uploads.upload(tx, actor(), now=now(), vault=keys().vault, upload_id=upload_id)
            made = import_people(
                tx,
                actor(),
                now=now(),
                vault=keys().vault,
                sheet=sheet_of(waiting.content, most=UPLOAD_BYTES_MAX),
                options=_options(tx),
                file=waiting.name,
                shown=form.text("shown"),
                skip_refused=form.ticked("skip_refused"),
            )
            uploads.drop(tx, upload_id)
    except Invalid as problem:
        return _show(upload_id, form.refuse(problem)), 422
    counts = made.counts
    new = ngettext("%(num)s person is new.", "%(num)s people are new.", counts["new"])
    flash(f"{new} {ngettext('%(num)s was changed.', '%(num)s were changed.', counts['changed'])}")
    return redirect("/people/import", 303)


@pages.post("/people/import/<int:upload_id>/drop")
def drop(upload_id: int) -> Answer:
    with database().write() as tx:
        uploads.drop(tx, uploads.upload(tx, actor(), now=now(), vault=keys().vault, upload_id=upload_id).id)
    flash(gettext("Nothing was imported, and the file is gone from here."))
    return redirect("/people/import", 303)


@pages.get("/people/import/<int:upload_id>/report")
@confirmed
def report(upload_id: int) -> Answer:
    with database().read() as tx:
        made = _shown(tx, upload_id).made
    response = make_response(csv_of(made, say))
    response.headers["Content-Type"] = "text/csv; charset=utf-8"
    response.headers["Content-Disposition"] = f'attachment; filename="import-{now():%Y-%m-%d}.csv"'
    return response


@pages.app_template_global()
def roster_attention() -> Run | None:
    """Return the roster's last run if it needs a person; None where not, or where the reader may not see it."""
    if not config().roster.file or not actor().may_everywhere(Role.HOST):
        return None
    with database().read() as tx:
        last = runs.last_of_roster(tx)
    return last if last and (last.trouble or last.counts.get("refused") or last.is_late(now())) else None


def _file(form: Form) -> str:
    actor().must_be_everywhere(Role.HOST)
    with database().read() as tx:
        return render_template(
            "importing/file.html",
            form=form,
            sites=[(site.id, site.name) for site in places.sites(tx)],
            runs=runs.runs(tx),
            roster=runs.last_of_roster(tx),
            roster_file=config().roster.file,
            troubles=wording.TROUBLES,
            now=now(),
        )


def _show(upload_id: int, form: Form) -> str:
    with database().read() as tx:
        shown = _shown(tx, upload_id)
    return render_template("importing/shown.html", form=form, shown=shown, made=shown.made, words=wording, kinds=FateKind)


def _shown(tx: Connection, upload_id: int) -> Shown:
    waiting = uploads.upload(tx, actor(), now=now(), vault=keys().vault, upload_id=upload_id)
    options = _options(tx)
    sheet = sheet_of(waiting.content, most=UPLOAD_BYTES_MAX)
    return Shown(upload=waiting, options=options, made=plan(tx, actor(), vault=keys().vault, sheet=sheet, options=options))


def _options(tx: Connection) -> Options:
    """Return how the file is read: at the site that stands in the page's address."""
    asked = request.args.get("site", "")
    if not (asked.isascii() and asked.isdigit() and len(asked) < 10):
        return options_of(tx, config(), now())
    return options_of(tx, config(), now(), site=places.site(tx, int(asked)).name)
