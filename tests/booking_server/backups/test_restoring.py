# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does a restore bring all of it back or change nothing, whatever file it is given?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import insert

from booking_server import schema
from booking_server.access.tables import rights_changes
from booking_server.backups.collecting import MANIFEST, SETTINGS, SQLITE, File, Manifest, copy_database, sha256_of
from booking_server.backups.going_on import SLACK, beyond
from booking_server.backups.sealing import BackupError, make_key, seal
from booking_server.backups.unpacking import Sealed, is_safe, look_into
from booking_server.db import Database
from booking_server.keys import load_keys
from tests.booking_server.backups.hub_here import HubHere
from tests.booking_server.hub import NOW

CHANGE = "select max(number) from rights_changes"


def changed(here: HubHere, times: int) -> None:
    database = Database(here.config.database)
    with database.write() as tx:
        for _ in range(times):
            tx.execute(insert(rights_changes).values(at=NOW, cause="grant:1"))
    database.close()


def backup(here: HubHere) -> Path:
    made = here.backs_up().file
    assert made is not None
    return made


def test_a_hub_that_is_there_is_not_touched_unless_told(here: HubHere) -> None:
    """One sentence names what is there. Told so, all of it is moved aside, and the new one is as the backup was."""
    changed(here, 3)
    file, before = backup(here), here.files()
    changed(here, 4)
    with pytest.raises(BackupError, match="--over"):
        here.restores(file)
    assert here.number("select count(*) from rights_changes") == 7
    assert here.files() == before | {"backup.json"}
    restored = here.restores(file, over=True)
    assert restored.aside is not None
    assert (restored.aside / "keys" / "vault.key").read_bytes() == (here.config.folder / "keys" / "vault.key").read_bytes()
    assert here.number("select count(*) from rights_changes") == 4
    assert here.number("select count(*) from restores where next_invoice is null") == 1
    assert not (here.config.folder / ".restoring").exists()


def test_numbers_go_on_beyond_what_doors_can_have(here: HubHere) -> None:
    """The next rights change, lock-down and step of the keys: larger than any before the restore, also at a second one."""
    changed(here, 3)
    file, before = backup(here), load_keys(here.config.folder).number
    here.restores(file, over=True)
    first, keys = here.number(CHANGE), load_keys(here.config.folder).number
    assert first > 100_000_000
    assert keys > before
    changed(here, 2)
    assert here.number(CHANGE) == first + 2
    here.restores(file, over=True)
    assert here.number(CHANGE) > first + 2
    assert load_keys(here.config.folder).number > keys


def test_the_clock_gives_the_number_unless_more_is_known() -> None:
    """One a second since 2020, within 32 bits for sixty years; well beyond what is known where that is more."""
    assert beyond(7, NOW) == int((NOW - NOW.replace(year=2020, month=1, day=1, hour=0)).total_seconds())
    assert beyond(2_000_000_000, NOW) == 2_000_000_000 + SLACK
    assert beyond(7, NOW.replace(year=2087)) < 2**31


@pytest.mark.parametrize("harm", ["cut", "changed", "no backup", "empty", "another key"])
def test_what_cannot_be_read_is_one_line_and_changes_nothing(small: HubHere, harm: str) -> None:
    """A file cut short, changed in the middle, of another kind, or sealed to another key."""
    file = backup(small)
    content, before = file.read_bytes(), small.files()
    half = len(content) // 2
    harmed = {
        "cut": content[:-300],
        "changed": content[:half] + bytes(byte ^ 1 for byte in content[half : half + 4]) + content[half + 4 :],
        "no backup": b"PK" + content[2:],
        "empty": b"",
        "another key": content,
    }
    file.write_bytes(harmed[harm])
    with pytest.raises(BackupError) as told:
        small.restores(file, over=True, identity=make_key()[0] if harm == "another key" else "")
    assert str(told.value).startswith(str(file))
    assert "\n" not in str(told.value)
    assert small.files() == before
    assert small.number("select count(*) from restores") == 0


@pytest.mark.parametrize("identity", ["", "# nothing but a remark", "hello"])
def test_an_identity_file_without_a_key_is_said(small: HubHere, identity: str) -> None:
    """The sentence says how the line begins that is missing."""
    with pytest.raises(BackupError, match="AGE-SECRET-KEY-1"):
        small.restores(backup(small), over=True, identity=identity or "\n")


def forged(here: HubHere, folder: Path, names: list[str], **other: object) -> Path:
    """Seal a backup of somebody's own making, which needs no more than the public half."""
    content = folder / "content"
    files = {}
    for name in [SETTINGS, *names]:
        file = content / name.replace("../", "up-").strip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(here.settings.read_bytes())
        files[name] = File(sha256=sha256_of(file), mode=0o4777)
    told = Manifest(format=1, version="9.9.9", schema="0018", at=NOW, name="x", database="database.sqlite", files=files)
    (content / MANIFEST).write_bytes(msgspec.json.encode(msgspec.structs.replace(told, **other)))
    members = [MANIFEST, *(str(path.relative_to(content)) for path in content.rglob("*") if path.is_file())]
    seal(content, list(dict.fromkeys(members)), folder / "forged.age", here.config.backup.recipient)
    return folder / "forged.age"


def test_a_backup_of_a_newer_version_is_refused(small: HubHere, tmp_path: Path) -> None:
    """One line names the version to install."""
    file = forged(small, tmp_path / "f", [], schema="9999")
    with file.open("rb") as content, pytest.raises(BackupError, match=r"version 9\.9\.9"):
        look_into(Sealed(content, str(file), small.identity))


@pytest.mark.parametrize("files", [["state/keys/extra"], []])
def test_a_file_that_the_manifest_does_not_hold_is_not_unpacked(small: HubHere, tmp_path: Path, files: list[str]) -> None:
    """A backup with one file more than it says, or one less, is damaged: nothing of it is used."""
    file = forged(small, tmp_path / "f", ["state/a", *files], files={} if not files else {"state/b": File(sha256="0", mode=0)})
    with pytest.raises(BackupError, match="damaged"):
        small.restores(file, over=True)


@pytest.mark.parametrize("name", ["../x", "/etc/x", "state/../../x", "", "a\\b", "a\0b"])
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    """Whatever a file says, it is unpacked below its own folder or not at all."""
    assert not is_safe(name)
    assert is_safe("state/keys/vault.key")


def test_no_backup_says_itself_where_its_secrets_go(small: HubHere, tmp_path: Path) -> None:
    """One that names any file of the machine in a secret's place has it written nowhere: the settings in force say where."""
    content, told = tmp_path / "f" / "content", dict[str, File]()
    content.mkdir(parents=True)
    copy_database(small.config, content / SQLITE)
    for name, path in ((SETTINGS, ""), ("secrets/mail.password_file", str(tmp_path / "cron.d" / "x"))):
        told[name] = File(sha256=sha256_of(small.settings), mode=0o600, path=path)
    told[SQLITE] = File(sha256=sha256_of(content / SQLITE), mode=0o600)
    file = forged(small, tmp_path / "f", ["secrets/mail.password_file"], files=told)
    assert small.restores(file, over=True).secrets == []


def test_a_backup_of_an_older_version_is_brought_to_this_one(small: HubHere) -> None:
    """The tables of then, with what stands in them, become those of now."""
    changed(small, 3)
    database = Database(small.config.database)
    schema.downgrade(database, "0017")
    database.close()
    file = backup(small)
    small.restores(file, over=True)
    database = Database(small.config.database)
    assert schema.is_current(database)
    database.close()
    assert small.number("select count(*) from rights_changes") == 4


def test_a_restore_cut_short_while_it_moved_files_goes_on_at_the_next(small: HubHere) -> None:
    """What lies half in place is no hub that somebody would miss: no --over is needed."""
    file = backup(small)
    (small.config.folder / ".restoring").mkdir()
    (small.config.folder / ".restoring" / "placing").touch()
    (small.config.folder / "keys" / "vault.key").unlink()
    small.restores(file)
    assert (small.config.folder / "keys" / "vault.key").exists()


def test_the_command_puts_settings_and_secrets_back(small: HubHere, tmp_path: Path) -> None:
    """On an empty machine it needs the file and the key alone; other settings that are there are refused with both ways out."""
    secret = tmp_path / "etc" / "mail-password"
    secret.parent.mkdir()
    secret.write_text("tell nobody")
    written = small.settings.read_text() + f'\n[mail]\npassword_file = "{secret}"\n'
    small.settings.write_text(written)
    key = tmp_path / "key.txt"
    key.write_text(small.identity)
    base = [sys.executable, "-c", "from booking_server.cli import main; main()", "--config", str(small.settings)]
    subprocess.run([*base, "backup", "--to", str(tmp_path / "stick")], check=True, capture_output=True)
    [file] = (tmp_path / "stick").iterdir()
    for path in (small.config.folder, tmp_path / "hub.sqlite", secret):
        path.rename(tmp_path / f"dead-{path.name}")
    small.settings.write_text(written + "# another\n")
    command = [*base, "restore", str(file), "--identity", str(key)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (told.returncode, len(told.stderr.strip().splitlines())) == (1, 1)
    assert "--keep-settings" in told.stderr
    small.settings.unlink()
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert small.settings.read_text() == written
    assert secret.read_text() == "tell nobody"
    assert "no month is closed until you say" in told.stdout
