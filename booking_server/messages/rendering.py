# SPDX-License-Identifier: AGPL-3.0-or-later
"""Says a message in its reader's language, from the text files in templates/messages: the subject is a file's first line.

Plain text only. A word that a template wants and nobody gave is a bug and raises; nothing is guessed or left empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_currency
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from booking_server.messages.rules import CHOSEN, Kind

LANGUAGES = ("fi", "sv", "en")
FOLDER = Path(__file__).parent / "templates" / "messages"
_LOCALES = {"fi": "fi_FI", "sv": "sv_FI", "en": "en_GB"}
_MOMENTS = {"fi": "ccc d.M.y 'klo' H.mm", "sv": "ccc d.M.y 'kl.' H.mm", "en": "ccc d MMM y, HH:mm"}
_TIMES = {"fi": "H.mm", "sv": "H.mm", "en": "HH:mm"}
_DAYS = {"fi": "d.M.y", "sv": "d.M.y", "en": "d MMM y"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """What every message says of who sends it: the hub's name, where its pages are, and its zone."""

    name: str
    origin: str
    zone: str


@dataclass(frozen=True, slots=True)
class Text:
    """A message in words."""

    subject: str
    body: str


def rendered(hub: Hub, kind: Kind, language: str, *, name: str, facts: Mapping[str, object]) -> Text:
    """Return the message in one of LANGUAGES. `name` is the reader's, or "". A missing fact raises, as a bug does."""
    words = _words(language, hub.zone)
    about = {"hub": hub.name, "origin": hub.origin}
    said = words.get_template(f"{kind}.{language}.txt").render(**about, **facts)
    subject, _, body = said.partition("\n")
    whole = words.get_template(f"layout.{language}.txt").render(**about, name=name, body=body.strip(), chosen=kind in CHOSEN)
    return Text(subject=" ".join(subject.split()), body=whole.strip() + "\n")


@cache
def _words(language: str, zone: str) -> Environment:
    says = _Says(language, zone)
    made = Environment(  # plain text has nothing to escape: no page shows it
        loader=FileSystemLoader(FOLDER, encoding="utf-8"),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(moment=says.moment, day=says.day, month=says.month, euros=says.euros)
    made.globals["span"] = says.span
    return made


@dataclass(frozen=True, slots=True)
class _Says:
    """How one language says instants, days and amounts, as the facts hold them."""

    language: str
    zone: str

    def moment(self, at: str, zone: str = "") -> str:
        """An instant with its day: "ke 25.11.2026 klo 14.00"."""
        return str(format_datetime(self._local(at, zone), _MOMENTS[self.language], locale=self._locale))

    def span(self, start_at: str, end_at: str, zone: str) -> str:
        """From when until when, the day said once where it is one."""
        start, end = self._local(start_at, zone), self._local(end_at, zone)
        if start.date() != end.date():
            return f"{self.moment(start_at, zone)} – {self.moment(end_at, zone)}"
        return f"{self.moment(start_at, zone)}–{format_time(end, _TIMES[self.language], locale=self._locale)}"

    def day(self, of: str) -> str:
        return str(format_date(date.fromisoformat(of), _DAYS[self.language], locale=self._locale))

    def month(self, of: str) -> str:
        return str(format_date(date.fromisoformat(f"{of}-01"), "LLLL y", locale=self._locale))

    def euros(self, cents: int) -> str:
        return str(format_currency(cents / 100, "EUR", locale=self._locale))

    def _local(self, at: str, zone: str) -> datetime:
        return datetime.fromisoformat(at).astimezone(ZoneInfo(zone or self.zone))

    @property
    def _locale(self) -> str:
        return _LOCALES[self.language]
