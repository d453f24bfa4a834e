# SPDX-License-Identifier: AGPL-3.0-or-later
"""The pages of doors: one door and how it is, a new one, and what became of what it was asked to do.

A page says that a door did something only when the door itself said so.
"""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Blueprint, redirect, render_template, request
from flask_babel import gettext
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from booking_server.access.wording import DAYS, hours_in_words
from booking_server.actors import Role
from booking_server.audit import service as audit
from booking_server.doors import adding, boxes, commands, hours, showing
from booking_server.doors import service as doors
from booking_server.doors.wording import HISTORY, LOGS, MODES, attention, mode_word, refusal
from booking_server.errors import Invalid
from booking_server.places import naming
from booking_server.places import service as places
from booking_server.tags import exposure
from booking_server.web.confirming import is_confirmed, to_confirm
from booking_server.web.forms import Form
from booking_server.web.request import actor, database, keys, now

pages = Blueprint("doors", __name__, template_folder="templates")
pages.add_app_template_filter(attention)
pages.add_app_template_filter(mode_word)
Answer = str | Response | tuple[str, int]

KEEPERS = (Role.HOST, Role.CARETAKER)
"""Who sees a door's page. What a door does by itself, where it leads and what its log shows is the host's to set."""
COMMANDS_SHOWN = 10
HISTORY_SHOWN = 20


@pages.get("/doors/new")
def new() -> Answer:
    actor().must_be(Role.HOST)
    return _door_form(Form.empty(log_named="priced", log_days=90, leads_into=request.args.get("leads_into", "")))


@pages.post("/doors/new")
def add() -> Answer:
    form = Form.posted()
    try:
        with database().write() as tx:
            into = form.choice("leads_into")
            site = next((area.site_id for area in places.areas(tx) if area.id == into), 0)
            made = adding.add_door(
                tx,
                actor(),
                now=now(),
                vault=keys().vault,
                door_id=form.text("door_id"),
                site_id=site,
                name=form.text("name"),
                to_area_id=into,
                from_area_id=form.choice("leads_from") if form.text("leads_from") else None,
                way_out_reader=form.ticked("way_out_reader"),
                **_log_values(form),
            )
    except Invalid as problem:
        return _door_form(form.refuse(problem)), 422
    return redirect(f"/doors/{made.id}", 303)


@pages.get("/doors/<door_id>")
def show(door_id: str) -> Answer:
    return door_page(door_id)


@pages.get("/doors/<door_id>/state")
def state(door_id: str) -> Answer:
    """The part of a door's page that follows the door."""
    return door_page(door_id, template="doors/state.html")


@pages.post("/doors/<door_id>/openings")
def open_once(door_id: str) -> Answer:
    form = Form.posted()
    try:
        with database().write() as tx:
            asked = commands.ask_open(tx, actor(), now=now(), door_id=door_id, reason=form.text("reason"))
    except Invalid as problem:
        return door_page(door_id, open_form=form.refuse(problem)), 422
    return redirect(f"/commands/{asked.command}", 303)


@pages.post("/doors/<door_id>/mode")
def set_mode(door_id: str) -> Answer:
    """Whoever leaves a door unlocked proves first who they are; to lock one is never held up."""
    form = Form.posted()
    if form.text("mode") == "unlocked" and not is_confirmed():
        return to_confirm()
    try:
        with database().write() as tx:
            mode, reason = form.text("mode"), form.text("reason")
            asked = commands.ask_mode(tx, actor(), now=now(), door_id=door_id, mode=mode, reason=reason)
    except Invalid as problem:
        return door_page(door_id, mode_form=form.refuse(problem)), 422
    return redirect(f"/commands/{asked.command}", 303)


@pages.post("/doors/<door_id>/log")
def change_log(door_id: str) -> Answer:
    form = Form.posted()
    try:
        with database().write() as tx:
            doors.change_log(tx, actor(), now=now(), door_id=door_id, **_log_values(form))
    except Invalid as problem:
        return door_page(door_id, log_form=form.refuse(problem)), 422
    return redirect(f"/doors/{door_id}", 303)


@pages.post("/doors/<door_id>/retirement")
def retire(door_id: str) -> Answer:
    with database().write() as tx:
        doors.retire_door(tx, actor(), now=now(), door_id=door_id)
    return redirect(f"/doors/{door_id}", 303)


@pages.get("/commands/<command>")
def command(command: str) -> Answer:
    actor().must_be(*KEEPERS)
    with database().read() as tx:
        asked = commands.command(tx, command)
        door = doors.door_for(tx, actor(), asked.door_id, *KEEPERS)
    became = showing.became(asked, now())
    return render_template(
        "doors/became.html" if request.headers.get("HX-Request") else "doors/command.html",
        command=asked,
        door=door,
        became=became,
        refusal=refusal(asked) if became is showing.Became.REFUSED else "",
        wanted=_wanted(asked),
    )


def door_page(door_id: str, *, template: str = "doors/door.html", **forms: Form) -> str:
    """Return the page of a door, or the part of it that `template` is. `forms` are shown again, with their errors."""
    with database().read() as tx:
        door = doors.door_for(tx, actor(), door_id, *KEEPERS)
        areas = naming.full_names(places.areas(tx, door.site_id))
        state = doors.door_states(tx).get(door_id)
        asked = commands.commands_of_door(tx, door_id, limit=COMMANDS_SHOWN)
        points = doors.access_points(tx, door_id)
        zone_name = places.site(tx, door.site_id).time_zone
        unlocking = [(one, hours_in_words(one)) for one in hours.hours(tx, door_id)]
        stolen = door.stolen_at is not None and actor().may(Role.HOST)
        exposed = len(exposure.exposed(tx, actor(), vault=keys().vault, door_id=door_id)) if stolen else 0
        revocation = boxes.last_revocation(tx, door_id)
        history = [(row, HISTORY[str(row["act"])]) for row in audit.of_subject(tx, f"door:{door_id}") if row["act"] in HISTORY]
        into, outside = _areas_to_choose(tx)
    leads = points[0]
    first = {
        "move_form": Form.empty(name=door.name, leads_into=leads.to_area_id or "", leads_from=leads.from_area_id or ""),
        "open_form": Form.empty(),
        "mode_form": Form.empty(mode=state.status.mode if state else "locked"),
        "log_form": Form.empty(log_named=door.log_named, log_reason=door.log_reason, log_days=door.log_days),
        "hours_form": Form.empty(weekdays=[str(day) for day in range(5)], from_time="8:00", until_time="16:00"),
        "rules_form": Form.empty(snapshot_expiry_days=door.snapshot_expiry_days, **msgspec.to_builtins(door.rules)),
    }
    return render_template(
        template,
        door=door,
        desk=actor().may_at(door.site_id, Role.HOST),
        points=points,
        areas=areas,
        state=state,
        online=showing.is_online(state, now()),
        asked=[(one, showing.became(one, now()), _wanted(one)) for one in asked],
        modes=[(mode, *words) for mode, words in MODES.items()],
        logs=[(setting, *words) for setting, words in LOGS.items()],
        hours=unlocking,
        exposed=exposed,
        revocation=revocation,
        history=history[:HISTORY_SHOWN],
        into=into,
        outside=outside,
        weekdays=list(enumerate(DAYS)),
        zone_name=zone_name,
        **{**first, **forms},
    )


def _wanted(command: commands.Command) -> str:
    """What the door was asked to do."""
    if command.kind == "open":
        return gettext("Open once")
    if command.kind == "capture":
        return gettext("Read a keytag for hand-out")
    return gettext("Mode: %(mode)s", mode=mode_word(str(command.argument.get("mode", ""))))


def _door_form(form: Form) -> str:
    with database().read() as tx:
        into, outside = _areas_to_choose(tx)
    return render_template(
        "doors/new.html",
        form=form,
        into=into,
        outside=outside,
        logs=[(setting, *words) for setting, words in LOGS.items()],
    )


def _areas_to_choose(tx: Connection) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """Return what a door may lead into, and from where: not out of a space."""
    areas = places.areas(tx)
    where = actor().sites(Role.HOST)
    areas = [area for area in areas if where is None or area.site_id in where]
    names, rooms = naming.full_names(areas), {area.id for area in areas if area.kind == "space"}
    return list(names.items()), [(number, name) for number, name in names.items() if number not in rooms]


def _log_values(form: Form) -> dict[str, Any]:
    return {
        "log_named": form.text("log_named"),
        "log_reason": form.text("log_reason"),
        "log_days": form.number("log_days"),
    }
