# SPDX-License-Identifier: AGPL-3.0-or-later
"""The command `booking-server update`: makes sure that there is a way back, then hands over to what no package replaces.

It changes nothing itself but its own folder, and says what an undo would lose before it asks.
"""

from __future__ import annotations

import os
import subprocess
from functools import partial
from pathlib import Path
from typing import NoReturn

import click

from booking_server.clock import SystemClock
from booking_server.config import Config, read
from booking_server.setting_up.as_user import as_user, owner_of
from booking_server.updating import asking
from booking_server.updating.alone import machine, main, packages, record
from booking_server.updating.alone.moving import Failed
from booking_server.updating.alone.record import Plan, Record
from booking_server.updating.asking import NotUpdated


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--undo", is_flag=True, help="Go back to the version before; finish or take back what was interrupted.")
@click.option("--discard", is_flag=True, help="With --undo: put the database back as it was at the update.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def update(config_file: Path, /, *, file: Path | None, undo: bool, discard: bool, yes: bool) -> None:
    """Bring the hub to the version in FILE (a .deb), or to the newest that apt knows: all of it, or back to where it was.

    Backup, package, database, start, look whether all is well. What was interrupted is finished by the next call, or by the
    next start of the machine. Doors decide alone meanwhile, for a minute or so.
    """
    if os.geteuid() != 0:
        raise NotUpdated("an update replaces the package: sudo booking-server update")
    if not Path("/run/systemd/system").is_dir():
        raise NotUpdated(
            "an update needs systemd, which does not run here; install the package, then: booking-server database upgrade"
        )
    found = _last()
    if found is not None and found.under_way:
        _go_on(found, undo=undo)
    elif undo:
        _undo(found, discard=discard, yes=yes)
    else:
        _forward(config_file, file, yes=yes)


def _last() -> Record | None:
    try:
        return record.read(main.FOLDER)
    except (ValueError, TypeError, KeyError):
        raise NotUpdated("{file} cannot be read; move it away to begin anew", file=main.FOLDER / "record.json") from None


def _go_on(found: Record, *, undo: bool) -> None:
    plan = found.plan
    if main.is_running():
        click.echo(f"The update from {plan.version_before} to {plan.version_after} is under way.")
        _become("follow")
    click.echo(f"The update from {plan.version_before} to {plan.version_after} was interrupted ({found.stuck or found.step}).")
    _become("back" if undo else "follow")


def _forward(config_file: Path, given: Path | None, *, yes: bool) -> None:
    config = read(config_file)
    owner = owner_of(config.folder)
    file = asking.package_file(given, main.FOLDER / "fetched")
    before, after = asking.versions(file)
    revision, size = as_user(owner, partial(asking.look_at_database, config))
    asking.must_have_room(size, main.FOLDER)
    click.echo(f"{asking.PACKAGE}: {before} -> {after}")
    if not yes:
        click.confirm("The pages are away for a minute or so; doors decide alone meanwhile. Go on?", default=True, abort=True)
    _back_up(config_file, config)
    plan = Plan(
        package=asking.PACKAGE,
        version_before=before,
        version_after=after,
        file=str(file),
        settings=str(config_file.resolve()),
        user="" if owner is None else owner.pw_name,
        database=asking.address_of(config),
        well=_well(config_file),
        revision_before=revision,
        begun_at=SystemClock().now().isoformat(),
    )
    _hand_over(Record(plan))


def _back_up(config_file: Path, config: Config) -> None:
    """The copy that the update makes of the database lies on this machine; a backup lies elsewhere."""
    if not config.backup.recipient:
        click.echo("backup: none is set up ([backup] in the settings); the way back lies on this machine alone")
        return
    done = subprocess.run(
        [machine.PROGRAM, "--config", str(config_file), "backup"], check=False, capture_output=True, text=True
    )
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise NotUpdated("the backup failed, and nothing was changed: {why}", why=(said or ["no reason given"])[-1])
    click.echo("backup: made")


def _well(config_file: Path) -> list[str]:
    try:
        found = machine.findings(str(config_file))
    except Failed as error:
        raise NotUpdated("{why}", why=error) from None
    wrong = [(about, says) for level, about, says in found if level == "fault"]
    for about, says in wrong:
        click.echo(f"wrong already before the update: {about}: {says}")
    return sorted({about for _, about, _ in found} - {about for about, _ in wrong})


def _undo(found: Record | None, *, discard: bool, yes: bool) -> None:
    if found is None or found.result != "done":
        raise NotUpdated("there is no update to undo")
    plan = found.plan
    if packages.installed(plan.package) != plan.version_after:
        raise NotUpdated(
            "{version} is not what is installed any more; only the last update can be undone", version=plan.version_after
        )
    if not (main.FOLDER / "before" / "package.deb").exists():
        raise NotUpdated(
            "what the update kept to go back to was deleted after 35 days; put a backup back: booking-server restore"
        )
    click.echo(f"{plan.package}: {plan.version_after} -> {plan.version_before}")
    click.echo(_LOST if discard else _KEPT.format(after=plan.version_after))
    if not yes:
        click.confirm("Go back?", default=False, abort=True)
    begun = Record(plan, way="undo", step=record.UNDO[0], served=True, restore=discard)
    _hand_over(begun)


def _hand_over(begun: Record) -> None:
    main.prepare(begun)
    _become("follow")


def _become(what: str) -> NoReturn:
    """Become what looks on: this program's own files are about to be replaced."""
    program = main.FOLDER / "program"
    os.execv("/usr/bin/python3", ["/usr/bin/python3", "-I", str(program), what])  # noqa: S606 - the copy of ourselves


_KEPT = """\
What was entered since the update stays. What only {after} can hold is lost: its new tables and columns.
A copy of the database as it is now is kept in /var/lib/hubkey-update/after."""
_LOST = """\
The database becomes what it was at the update: bookings, people, payments, invoices and settings entered since are LOST here.
Doors send the taps since once more. No month can be closed until you say which number the next invoice gets (booking-server
restored --next-invoice). To lose none of this, undo without --discard. A copy of the database as it is now is kept in
/var/lib/hubkey-update/after."""
