# SPDX-License-Identifier: AGPL-3.0-or-later
"""The commands `booking-server backup`, `backup key`, `restore` and `restored`. What a restore cannot know it says."""

from __future__ import annotations

import os
import tempfile
from functools import partial
from pathlib import Path

import click

from booking_server.actors import COMMAND_LINE
from booking_server.backups import service as backups
from booking_server.backups.collecting import Manifest
from booking_server.backups.making import make_backup
from booking_server.backups.restoring import Restored
from booking_server.backups.restoring import restore as put_back
from booking_server.backups.sealing import BackupError, make_key
from booking_server.backups.unpacking import Sealed, look_into
from booking_server.config import BadConfiguration, Config, clock_of, load, read
from booking_server.db import Database
from booking_server.setting_up.as_user import as_user, owner_of
from booking_server.setting_up.writing import Place

_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)

_KEY = """\
The public half, for server.toml:

    [backup]
    recipient = "{public}"

The other half opens every backup. Keep it away from this machine, twice: on a stick in a safe, and on paper in another
building. Without it no backup can be read, by nobody; whoever has it and a backup has all of the hub, its keys included.
"""
_AFTER = """\
Restored: the hub as it was at {at:%Y-%m-%d %H:%M:%S} UTC (version {version}).{aside}

What came after that instant:
  comes back    What doors recorded. They go on alone until `booking-server doors` runs, then connect by themselves, where this
                machine answers as {broker}, and send again what they still keep. What a door no longer has is a gap.
  is gone       What people did on the pages and by commands: members, keytags, access, bookings, prices, roles. A keytag that
                was blocked since opens doors again once `booking-server doors` runs: BLOCK IT FIRST. So with boxes that were
                put out, and with recovery codes that were used. Everybody signs in anew.
  is not known  Doors that were added since: add and enrol them again. Months that were closed since, and invoices that were
                sent: no month is closed until you say which number comes next.

Next:
  1. systemctl start booking-server-web
     Block and end again what was blocked and ended since; the mails that this hub sent since say what.
  2. booking-server restored --next-invoice NUMBER
     docs/run-the-server.md, "The disk is dead", says which it is.
  3. booking-server init
     Starts the rest, and asks nothing. Then: booking-server doctor"""


@click.group(invoke_without_command=True)
@click.option("--to", type=_FOLDER, help="Write it here, and only here: no old one is deleted, backup.command is not run.")
@click.pass_context
def backup(context: click.Context, to: Path | None) -> None:
    """Back up the whole hub while it runs, sealed to the key in backup.recipient."""
    if context.invoked_subcommand is not None:
        return
    config_file: Path = context.obj
    config = load(config_file)
    made = make_backup(config_file, config, now=clock_of(config).now(), to=to)
    where = made.file or config.backup.command[0]
    click.echo(f"backup: {where} ({_size(made.bytes)})")


@backup.command()
@click.option("--to", type=_FILE, help="Write the secret half into this new file, on a stick, instead of showing it.")
def key(to: Path | None) -> None:
    """Make an offline key for backups, and say how to keep it. Nothing is kept here but what --to names."""
    secret, public = make_key()
    text = f"# What opens the backups of a Hubkey hub. Public half: {public}\n{secret}\n"
    if to is None:
        click.echo(text)
    else:
        try:
            with open(to, "x", encoding="ascii", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
                out.write(text)
        except FileExistsError:
            raise BackupError("{file} is there already; a key is never written over another", file=str(to)) from None
        click.echo(f"Written: {to} (the secret half)\n")
    click.echo(_KEY.format(public=public), nl=False)


@click.command()
@click.argument("file", type=_FILE)
@click.option("--identity", "identity_file", type=_FILE, required=True, help="The file with the offline key.")
@click.option("--over", is_flag=True, help="Move aside the hub that is here: settings, data and keys.")
@click.option("--keep-settings", is_flag=True, help="Go by the settings that are here, not by those of the backup.")
@click.pass_obj
def restore(config_file: Path, file: Path, identity_file: Path, *, over: bool, keep_settings: bool) -> None:
    """Put the whole hub back from a backup, on an empty machine. It starts nothing."""
    with file.open("rb") as content:
        sealed = Sealed(content, str(file), identity_file.read_text(encoding="utf-8", errors="replace"))
        manifest, settings = look_into(sealed)
        taken = _settings(config_file, settings, over=over, keep=keep_settings)
        config = _config(config_file, taken)
        now = clock_of(config).now()
        if now < manifest.at:
            raise BackupError("the clock says {now}, before the backup was made ({at}); set it first", now=now, at=manifest.at)
        place = Place(config_file, owner_of(config.folder))
        _make_folder(place, config)
        done = as_user(place.owner, partial(put_back, config, sealed, now=now, over=over))
    _put_settings(place, taken, done, now=f"{now:%Y%m%dT%H%M%SZ}")
    _say(config, manifest, done)


def _settings(config_file: Path, found: bytes, *, over: bool, keep: bool) -> bytes | None:
    """Return the settings to be put in place; None where those that are there stay."""
    if not config_file.exists():
        if keep:
            raise BadConfiguration(f"{config_file}: there are no settings to keep")
        return found
    if keep or config_file.read_bytes() == found:
        return None
    if not over:
        raise BackupError(
            "{file} is there and says something else than the backup; --keep-settings goes by it, --over moves it aside",
            file=str(config_file),
        )
    return found


def _config(config_file: Path, taken: bytes | None) -> Config:
    if taken is None:
        return read(config_file)
    with tempfile.TemporaryDirectory(prefix="hubkey-") as folder:
        file = Path(folder) / config_file.name
        file.write_bytes(taken)
        return read(file)


def _make_folder(place: Place, config: Config) -> None:
    if not config.folder.exists():
        config.folder.mkdir(mode=0o700, parents=True)
        if place.owner is not None:
            os.chown(config.folder, place.owner.pw_uid, place.owner.pw_gid)


def _put_settings(place: Place, taken: bytes | None, done: Restored, *, now: str) -> None:
    """Secrets first, the settings last: a unit starts only where they are. What was there is moved aside."""
    wanted = [(one.path, one.content) for one in done.secrets]
    if taken is not None:
        wanted.append((place.settings, taken))
    for path, content in wanted:
        if path.exists() and path.read_bytes() == content:
            continue
        if path.exists():
            path.replace(path.with_name(f"{path.name}.before-restore-{now}"))
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        place.write(path, content)


def _say(config: Config, manifest: Manifest, done: Restored) -> None:
    aside = "" if done.aside is None else f"\nWhat was here before lies in {done.aside}: delete it when all is well."
    broker = f"{config.broker.known_as or config.broker.host}:{config.broker.port}"
    click.echo(_AFTER.format(at=manifest.at, version=manifest.version, aside=aside, broker=broker))


@click.command()
@click.option("--next-invoice", type=click.IntRange(1, 2**31 - 1), help="The number that the next invoice gets.")
@click.pass_obj
def restored(config_file: Path, next_invoice: int | None) -> None:
    """After a restore: say which number the next invoice gets, or show what is to be said still."""
    from booking_server.invoices import service as invoices  # what makes invoices is large, and no backup waits for it

    config = load(config_file)
    database = Database(config.database)
    try:
        with database.write() as tx:
            known = invoices.last_number(tx)
            if next_invoice is not None:
                now = clock_of(config).now()
                backups.say_next_invoice(tx, COMMAND_LINE, now=now, number=next_invoice, last_known=known)
            last = backups.last_restore(tx)
    finally:
        database.close()
    if last is None:
        click.echo("this hub was never put back from a backup")
        return
    click.echo(f"put back at {last.restored_at:%Y-%m-%d %H:%M} UTC as it was at {last.backup_at:%Y-%m-%d %H:%M} UTC")
    click.echo(f"last invoice that is here: {known or 'none'}")
    click.echo(f"next invoice: {last.next_invoice or 'not said yet; no month is closed until it is: --next-invoice NUMBER'}")


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.0f} kB"
