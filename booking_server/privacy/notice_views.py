# SPDX-License-Identifier: AGPL-3.0-or-later
"""The notices as pages to read and to print, in a language chosen on the page.

What stands at one door and of the hub is open to everybody who stands before a door; a house's list of doors to who is signed
in; the description of the staff's own work to staff.
"""

from __future__ import annotations

from datetime import date

from flask import Blueprint, render_template, request
from flask_babel import get_locale

from booking_server.actors import STAFF
from booking_server.doors import service as doors
from booking_server.places import service as places
from booking_server.privacy import notices
from booking_server.privacy.notice_words import LANGUAGES
from booking_server.privacy.notices import Notice
from booking_server.web.request import actor, config, database, now
from booking_server.web.wording import zone

pages = Blueprint("notices", __name__, template_folder="templates")


@pages.get("/privacy")
def hub() -> str:
    return _shown(notices.of_doors(config(), config().name, (), _language(), _today(), title="title_hub"))


@pages.get("/privacy/doors/<door_id>")
def door(door_id: str) -> str:
    """A door that is not there, or no longer, has the hub's notice: nobody learns here which doors there are."""
    with database().read() as tx:
        found = next((one for one in doors.doors(tx) if one.id == door_id and one.retired_at is None), None)
    return hub() if found is None else _shown(notices.of_door(config(), found, _language(), _today()))


@pages.get("/privacy/sites/<int:site_id>")
def site(site_id: int) -> str:
    with database().read() as tx:
        found = places.site(tx, site_id)
        known = [one for one in doors.doors(tx) if one.site_id == site_id and one.retired_at is None]
    return _shown(notices.of_doors(config(), found.name, known, _language(), _today(), title="title_site"))


@pages.get("/privacy/staff")
def staff() -> str:
    actor().must_be(*STAFF)
    return _shown(notices.of_staff(config(), _language(), _today()))


def _shown(notice: Notice) -> str:
    return render_template("privacy/notice.html", notice=notice, notice_languages=LANGUAGES)


def _language() -> str:
    return notices.language_of(request.args.get("language", ""), str(get_locale()))


def _today() -> date:
    return now().astimezone(zone()).date()
