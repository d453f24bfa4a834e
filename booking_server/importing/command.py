# SPDX-License-Identifier: AGPL-3.0-or-later
"""The commands `booking-server import` and `roster`. Without --apply nothing is changed; each row's fate is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from booking_server import schema
from booking_server.actors import COMMAND_LINE
from booking_server.config import BadConfiguration, Config, clock_of, load
from booking_server.db import Database
from booking_server.errors import BookingServerError
from booking_server.importing import rosters
from booking_server.importing.applying import import_people
from booking_server.importing.planning import Plan, plan
from booking_server.importing.reading import Sheet, sheet_of
from booking_server.importing.report import csv_of, rows_of
from booking_server.importing.rules import FILE_BYTES_MAX
from booking_server.importing.runs import Run, Trouble
from booking_server.keys import load_keys

STOPPED = {
    Trouble.UNREADABLE: "cannot be used",
    Trouble.EMPTY: "names nobody",
    Trouble.OLD: "is older than roster.max_age_days",
    Trouble.TOO_MANY: "would end the access of more than roster.end_percent of those who have it",
}
DELIMITERS = {"\t": "tab"}


class Stopped(BookingServerError):
    """The roster changed nothing."""


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--apply", is_flag=True, help="Do it. Without this nothing is changed.")
@click.option("--shown", metavar="WORD", help="Do it only if it is still what the dry run showed that ended with this word.")
@click.option("--skip-refused", is_flag=True, help="Leave refused rows out and take the others.")
@click.option("--site", default="", help="The site at which names of places are looked for; without it, everywhere.")
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Write each row's fate here too, as CSV.")
@click.pass_obj
def import_(
    config_file: Path, file: Path, *, apply: bool, shown: str | None, skip_refused: bool, site: str, report: Path | None
) -> None:
    """Take people, keytags and access in from a CSV FILE, after a dry run that shows what becomes of each row."""
    with _opened(config_file) as (config, database):
        sheet, vault, now = _sheet(file), load_keys(config.folder).vault, clock_of(config).now()
        if not apply:
            with database.read() as tx:
                options = rosters.options_of(tx, config, now, site=site)
                made = plan(tx, COMMAND_LINE, vault=vault, sheet=sheet, options=options)
        else:
            with database.write() as tx:
                made = import_people(
                    tx,
                    COMMAND_LINE,
                    now=now,
                    vault=vault,
                    sheet=sheet,
                    options=rosters.options_of(tx, config, now, site=site),
                    file=file.name,
                    shown=shown,
                    skip_refused=skip_refused,
                )
    if report is not None:
        report.write_text(csv_of(made, str), encoding="utf-8")
    _tell(made)
    click.echo("Done." if apply else _next(file, made, site))


@click.command()
@click.option("--yes-all", is_flag=True, help="Do it although the file is old or empty, or many people lose access.")
@click.pass_obj
def roster(config_file: Path, *, yes_all: bool) -> None:
    """Give and end access as the file in [roster] says. For a timer, once a night; access given by hand stays."""
    with _opened(config_file) as (config, database):
        if not config.roster.file:
            click.echo("no roster: [roster] file is not set")
            return
        run = rosters.read_roster(database, config, load_keys(config.folder).vault, now=clock_of(config).now(), yes_all=yes_all)
    click.echo(_counted(run))
    if run.trouble is not None:
        raise Stopped("{sentence}", sentence=_stopped(run))


@contextmanager
def _opened(config_file: Path) -> Iterator[tuple[Config, Database]]:
    config = load(config_file)
    database = Database(config.database)
    try:
        schema.must_be_current(database)
        yield config, database
    finally:
        database.close()


def _sheet(file: Path) -> Sheet:
    with file.open("rb") as opened:
        content = opened.read(FILE_BYTES_MAX + 1)
    try:
        return sheet_of(content)
    except BookingServerError as problem:
        raise BadConfiguration(f"{file}: {problem}") from None


def _tell(made: Plan) -> None:
    for number, fate, name, column, what in rows_of(made, str):
        click.echo(f"row {number:>5}  {fate:<8} {name}{': ' if column else ''}{column}{' ' if column else ''}{what}".rstrip())
    sheet = made.sheet
    delimiter = DELIMITERS.get(sheet.delimiter, sheet.delimiter)
    click.echo(f"\nRead as {sheet.encoding}, with {delimiter} between cells; columns: {', '.join(sheet.columns)}.")
    if sheet.skipped:
        click.echo(f"Not known, and skipped: {', '.join(sheet.skipped)}.")
    counts = made.counts
    told = ", ".join(f"{counts[kind]} {kind}" for kind in ("new", "changed", "same", "refused"))
    click.echo(f"{counts['rows']} rows: {told}.")


def _next(file: Path, made: Plan, site: str) -> str:
    if made.does_nothing:
        return "Nothing to do."
    skip = " --skip-refused" if made.refused else ""
    where = f" --site {site!r}" if site else ""
    return f"Nothing was changed. To do this: booking-server import {file} --apply{skip}{where} --shown {made.digest}"


def _counted(run: Run) -> str:
    kinds = ("new", "changed", "same", "refused", "ended")
    return f"roster: {', '.join(f'{run.counts.get(kind, 0)} {kind}' for kind in kinds)}"


def _stopped(run: Run) -> str:
    """Say why nothing was done. What stands in single rows is told on the page: a log holds nothing of a person."""
    assert run.trouble is not None  # noqa: S101 - asked only then
    why = " ".join(str(problem) for number, problem in run.refusals if number == 0)
    do = "mend it" if run.trouble is Trouble.UNREADABLE else "mend it, or if it is right: booking-server roster --yes-all"
    return f"{run.file} {STOPPED[run.trouble]}, so nothing was changed; {do}.{' ' if why else ''}{why}"
