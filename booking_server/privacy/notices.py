# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the notices say: for one door, a house, the hub, and of the staff's own work. Pure: from settings to paragraphs.

They say what the software does and what the hub has stated. They claim nothing of the law: the grounds are the hub's own words,
and what it has not stated is said to be missing, never made up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from booking_server.config import Config
from booking_server.doors.service import Door
from booking_server.privacy.notice_words import LANGUAGES, WORDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One part of a notice. `rows` are a table under `head`."""

    heading: str
    paragraphs: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A notice in one language, ready to be printed."""

    language: str
    title: str
    about: str
    sections: tuple[Section, ...] = field(default=())
    printed: str = ""


def language_of(asked: str, otherwise: str) -> str:
    """Return the language in which a notice is shown."""
    return next((one for one in (asked, otherwise) if one in LANGUAGES), "en")


def missing(config: Config) -> list[str]:
    """Return the settings that the notices need and that are not there yet."""
    stated, seller = config.privacy, config.seller
    there = {
        "privacy.controller": stated.controller or seller.name,
        "privacy.address": stated.address or seller.address,
        "privacy.email": stated.email,
        "privacy.legal_basis": stated.legal_basis.in_language("fi"),
        "privacy.monitoring_basis": stated.monitoring_basis.in_language("fi"),
    }
    return [key for key, value in there.items() if not value]


def of_door(config: Config, door: Door, language: str, today: date) -> Notice:
    """Return what stands beside one door."""
    words = WORDS[language]
    named = words[door.log_named].format(reason=door.log_reason)
    log = (
        Section(heading=words["logged"], paragraphs=(words["logged_door"], words["knows"])),
        Section(heading=words["named"], paragraphs=(named,)),
        _how_long(config, words, words["long_door"].format(days=door.log_days)),
    )
    return _notice(config, language, "title_door", door.name, log, today)


def of_doors(config: Config, about: str, doors: Iterable[Door], language: str, today: date, *, title: str) -> Notice:
    """Return what hangs in a house, with its doors one by one; or stands for the whole hub, without them."""
    words = WORDS[language]
    rows = tuple(
        (door.name, words[f"short_{door.log_named}"].format(reason=door.log_reason), str(door.log_days)) for door in doors
    )
    table = Section(heading=words["doors"], head=(words["door"], words["names"], words["days"]), rows=rows)
    logged = Section(heading=words["logged"], paragraphs=(words["logged_door"], words["knows"]))
    return _notice(config, language, title, about, (logged, *([table] if rows else []), _how_long(config, words)), today)


def of_staff(config: Config, language: str, today: date) -> Notice:
    """Return the description of what is recorded of the staff's own work."""
    words, rules = WORDS[language], config.privacy
    recorded = (
        words["staff_sign_in"].format(days=rules.sign_in_days),
        words["staff_acts"].format(days=rules.acts_days),
        words["staff_looks"].format(days=rules.audit_days),
        words["staff_doors"],
        words["staff_not"],
    )
    sections = (
        _who(config, words),
        Section(heading=words["staff_recorded"], paragraphs=recorded),
        Section(heading=words["staff_who"], paragraphs=(words["staff_who_list"],)),
        Section(
            heading=words["staff_why"],
            paragraphs=(rules.monitoring_basis.in_language(language) or words["not_stated"], words["staff_law"]),
        ),
        _rights(config, words),
    )
    printed = words["printed"].format(day=_day(today, language))
    return Notice(language=language, title=words["title_staff"], about=config.name, sections=sections, printed=printed)


def _notice(config: Config, language: str, title: str, about: str, log: tuple[Section, ...], today: date) -> Notice:
    words, rules = WORDS[language], config.privacy
    sections = (
        _who(config, words),
        *log,
        Section(heading=words["seen"], paragraphs=(words["seen_by"].format(days=rules.audit_days),)),
        Section(heading=words["basis"], paragraphs=(rules.legal_basis.in_language(language) or words["not_stated"],)),
        _rights(config, words),
    )
    printed = words["printed"].format(day=_day(today, language))
    return Notice(language=language, title=words[title], about=about, sections=sections, printed=printed)


def _who(config: Config, words: dict[str, str]) -> Section:
    stated = config.privacy
    lines = [stated.controller or config.seller.name or words["not_stated"], stated.address or config.seller.address]
    if stated.email:
        lines.append(words["contact"].format(email=stated.email))
    if stated.data_protection_officer:
        lines.append(words["officer"].format(officer=stated.data_protection_officer))
    return Section(heading=words["who"], paragraphs=tuple(line for line in lines if line))


def _how_long(config: Config, words: dict[str, str], *first: str) -> Section:
    rules = config.privacy
    books = words["long_books"].format(contest=rules.contest_days, years=rules.books_years)
    ended = words["long_ended"].format(days=rules.ended_days)
    return Section(heading=words["long"], paragraphs=(*first, books, words["long_frozen"], ended))


def _rights(config: Config, words: dict[str, str]) -> Section:
    complaint = words["authority"].format(authority=config.privacy.authority)
    return Section(heading=words["rights"], paragraphs=(words["rights_list"], complaint))


def _day(day: date, language: str) -> str:
    return day.isoformat() if language == "en" else f"{day.day}.{day.month}.{day.year}"
