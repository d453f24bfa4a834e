# SPDX-License-Identifier: AGPL-3.0-or-later
"""How the pages say things: in which language, and how an instant, a day, an amount and a reason of refusal read.

Words come from gettext (English source); what the contract or a later version adds and this one does not know is shown
as a plain refusal, never hidden.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_currency, format_decimal
from flask import Flask, request, session, url_for
from flask_babel import get_locale, gettext, lazy_gettext, ngettext

from booking_server.web import request as state

LANGUAGES = {"fi": "Suomi", "en": "English"}
LETTER_LANGUAGES = {"fi": "Suomi", "sv": "Svenska", "en": "English"}
"""What pages speak, and what mails do."""

REASONS = {
    "tag_unknown": lazy_gettext("The keytag is not known here. Hand it out to a person first."),
    "tag_blocked": lazy_gettext("The keytag is blocked."),
    "tag_unreadable": lazy_gettext("The keytag could not be read. Hold it still on the reader."),
    "tag_expired": lazy_gettext("The keytag has expired."),
    "member_suspended": lazy_gettext("The membership is suspended."),
    "agreement_ended": lazy_gettext("The agreement has ended."),
    "no_grant": lazy_gettext("No access has been granted to this door."),
    "outside_hours": lazy_gettext("Access is granted, but not at this hour."),
    "no_booking": lazy_gettext("There is no booking for now."),
    "quota_used": lazy_gettext("The visits of the agreement are used up."),
    "space_full": lazy_gettext("The space is full."),
    "door_blocked": lazy_gettext("The door is blocked by the staff."),
    "door_locked_down": lazy_gettext("The door is locked down."),
    "door_out_of_service": lazy_gettext("The door is out of service."),
    "alarm_armed": lazy_gettext("The alarm is armed."),
    "assurance_too_low": lazy_gettext("This door needs a keytag that is harder to copy."),
    "snapshot_expired": lazy_gettext("The door has been without the server too long."),
    "clock_untrusted": lazy_gettext("The door does not know the time yet."),
    "journal_unwritable": lazy_gettext("The door could not write its journal."),
}


def chosen_language() -> str:
    """Return the language of this reader: chosen on a page, else the browser's, else the hub's."""
    chosen = session.get("language")
    if chosen in LANGUAGES:
        return str(chosen)
    return request.accept_languages.best_match(LANGUAGES) or state.config().language


def zone(name: str = "") -> ZoneInfo:
    """Return a site's zone, or the hub's."""
    return ZoneInfo(name or state.config().time_zone)


def moment(at: datetime, zone_name: str = "") -> str:
    """Return an instant as staff read it: the time alone if it is today, else with the day."""
    local, today = at.astimezone(zone(zone_name)), state.now().astimezone(zone(zone_name)).date()
    if local.date() == today:
        return format_time(local, "HH.mm.ss" if _finnish() else "HH:mm:ss", locale=get_locale())
    return exact(at, zone_name)


def exact(at: datetime, zone_name: str = "") -> str:
    """Return an instant with its day, to the minute."""
    pattern = "d.M.yyyy 'klo' H.mm" if _finnish() else "d MMM yyyy, HH:mm"
    return format_datetime(at.astimezone(zone(zone_name)), pattern, locale=get_locale())


def day(of: date) -> str:
    """Return a day, short: "24.12.2026" or "24 Dec 2026"."""
    return format_date(of, "d.M.yyyy" if _finnish() else "d MMM yyyy", locale=get_locale())


def month(of: str) -> str:
    """Return "2026-03" as "March 2026"."""
    return format_date(date.fromisoformat(f"{of}-01"), "LLLL yyyy", locale=get_locale())


def euros(cents: int) -> str:
    """Return an amount of cents as euros."""
    return format_currency(cents / 100, "EUR", locale=get_locale())


def percent(permille: int) -> str:
    """Return tenths of a percent as a percentage: 255 as "25,5 %"."""
    return f"{format_decimal(permille / 10, locale=get_locale())} %"


def since(at: datetime) -> str:
    """Return how long ago an instant was, roughly."""
    passed = max(timedelta(0), state.now() - at)
    if passed < timedelta(minutes=1):
        return _counted("%(num)s second ago", "%(num)s seconds ago", passed.seconds)
    if passed < timedelta(hours=1):
        return _counted("%(num)s minute ago", "%(num)s minutes ago", passed.seconds // 60)
    if passed < timedelta(days=1):
        return _counted("%(num)s hour ago", "%(num)s hours ago", passed.seconds // 3600)
    return _counted("%(num)s day ago", "%(num)s days ago", passed.days)


def _counted(one: str, many: str, count: int) -> str:
    return str(ngettext(one, many, count))


def reason(word: str | None) -> str:
    """Return why a tap was refused, in a sentence that helps; an unknown word is still a refusal."""
    return str(REASONS.get(word or "") or gettext("The door refused."))


def asset(name: str) -> str:
    """Return the address of a static file, different for each content of it."""
    return url_for("static", filename=name, v=_fingerprint(name))


@cache
def _fingerprint(name: str) -> str:
    return hashlib.sha256((Path(__file__).parent / "static" / name).read_bytes()).hexdigest()[:12]


def _finnish() -> bool:
    return str(get_locale()) == "fi"


def _machine(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")


def teach(app: Flask) -> None:
    """Give the templates these words."""
    spoken: list[Any] = [moment, exact, day, month, euros, percent, since, reason]
    app.jinja_env.filters.update({word.__name__: word for word in spoken}, machine=_machine)
    app.jinja_env.globals.update(
        asset=asset, LANGUAGES=LANGUAGES, LETTER_LANGUAGES=LETTER_LANGUAGES, language=lambda: str(get_locale())
    )
