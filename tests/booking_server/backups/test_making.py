# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is a backup whole under its name or not there at all, only for who holds the key, and never one too many deleted?"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from booking_server.backups.making import make_backup
from booking_server.backups.sealing import BackupError, make_key
from booking_server.config import BadConfiguration
from tests.booking_server.backups.hub_here import HubHere
from tests.booking_server.hub import NOW
from tests.system.processes import wait_for

COMMAND = [sys.executable, "-c", "from booking_server.cli import main; main()"]


def lines(told: subprocess.CompletedProcess[str]) -> list[str]:
    return told.stderr.strip().splitlines()


def test_a_backup_has_its_name_and_its_record(small: HubHere) -> None:
    """The hub's name and the instant in the file's; where it lies and how large it is beside the hub, for doctor to read."""
    made = small.backs_up()
    assert made.file == small.folder / "hubkey-hubi-co-20261124T120001Z.age"
    assert made.file.stat().st_mode & 0o777 == 0o600
    record = json.loads((small.config.folder / "backup.json").read_text())
    assert (record["file"], record["bytes"]) == (str(made.file), made.file.stat().st_size)
    assert {path.name for path in small.folder.iterdir()} == {made.file.name}


def test_nothing_of_the_hub_can_be_read_in_it(small: HubHere) -> None:
    """Neither a key nor a table's name stands in the file as it is."""
    made = small.backs_up()
    assert made.file is not None
    content = made.file.read_bytes()
    assert content.startswith(b"age-encryption.org/v1")
    assert (small.config.folder / "keys" / "vault.key").read_bytes() not in content
    assert b"rights_changes" not in content


def test_only_the_newest_are_kept_and_nothing_else_is_touched(small: HubHere) -> None:
    """Three are kept; another hub's backup in the same folder, and any other file, stays."""
    small.folder.mkdir()
    others = [small.folder / "hubkey-other-20200101T000000Z.age", small.folder / "notes.txt"]
    for other in others:
        other.write_text("mine")
    made = [small.backs_up().file for _ in range(5)]
    assert set(small.folder.iterdir()) == {*others, *made[-3:]}


@pytest.mark.parametrize("recipient", ["", "age1nonsense"])
def test_without_a_key_nothing_is_made(small: HubHere, recipient: str) -> None:
    """One sentence says how to make one."""
    with pytest.raises(BadConfiguration, match=r"backup\.recipient"):
        small.backs_up(recipient=recipient)
    assert not small.folder.exists()


def test_with_nowhere_to_put_it_nothing_is_made(small: HubHere) -> None:
    """Neither a folder nor a command: one sentence names both."""
    with pytest.raises(BadConfiguration, match=r"backup\.folder nor backup\.command"):
        small.backs_up(folder="", command=[])


def test_the_owners_command_gets_the_file(small: HubHere, tmp_path: Path) -> None:
    """As its last argument; without a folder nothing stays here. If it fails, its last word is said and no backup counts."""
    away = tmp_path / "away"
    made = small.backs_up(folder="", command=["cp", "--target-directory", str(tmp_path)])
    assert made.file is None
    assert len(list(tmp_path.glob("hubkey-*.age"))) == 1
    assert not away.exists()
    before = (small.config.folder / "backup.json").read_bytes()
    with pytest.raises(BackupError, match=r"backup\.command: sh ended with 3: no room at the other end"):
        small.backs_up(command=["sh", "-c", "echo no room at the other end >&2; exit 3"])
    with pytest.raises(BackupError, match=r"backup\.command: /no/such cannot be run"):
        small.backs_up(command=["/no/such"])
    assert (small.config.folder / "backup.json").read_bytes() == before


def test_a_folder_of_ones_own_is_left_as_it_is(small: HubHere, tmp_path: Path) -> None:
    """Onto a stick: nothing there is deleted, and the owner's command is not run."""
    config = msgspec.structs.replace(small.config.backup, command=["false"], keep=1)
    for second in range(3):
        at = NOW.replace(second=second)
        make_backup(small.settings, msgspec.structs.replace(small.config, backup=config), now=at, to=tmp_path / "stick")
    assert len(list((tmp_path / "stick").iterdir())) == 3


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="a small disk needs root and unshare")
def test_a_full_disk_is_one_line_and_leaves_nothing(small: HubHere, tmp_path: Path) -> None:
    """No room where the backup goes: nothing half is there, and the last record stands."""
    small.backs_up()
    before, stick = (small.config.folder / "backup.json").read_bytes(), tmp_path / "stick"
    stick.mkdir()
    (small.config.folder / "ballast").write_bytes(os.urandom(2**20))
    script = 'mount -t tmpfs -o size=400k none "$0" && "$@"; code=$?; ls -A "$0"; exit $code'
    backup = [*COMMAND, "--config", str(small.settings), "backup", "--to", str(stick)]
    command = ["unshare", "-m", "sh", "-c", script, str(stick), *backup]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stdout) == (1, "")
    assert len(lines(told)) == 1
    assert "No space left on device" in told.stderr
    assert not list(small.config.folder.glob(".backup-*"))
    assert (small.config.folder / "backup.json").read_bytes() == before


def test_killed_halfway_there_is_no_backup_and_the_next_sweeps(small: HubHere) -> None:
    """Nothing stands under the final name; what was begun, here and there, is gone after the next."""
    (small.config.folder / "ballast").write_bytes(os.urandom(40 * 2**20))
    command = [*COMMAND, "--config", str(small.settings), "backup"]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_for(
            lambda: any(part.stat().st_size for part in small.folder.glob(".*.part")), "it is being written", limit_seconds=60
        )
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
    assert not list(small.folder.glob("*.age"))
    assert list(small.config.folder.glob(".backup-*"))
    made = small.backs_up()
    assert made.file is not None
    assert [path.name for path in small.folder.iterdir()] == [made.file.name]
    assert not list(small.config.folder.glob(".backup-*"))


def test_a_key_is_made_and_never_over_another(tmp_path: Path) -> None:
    """The secret half is written only where asked, for its owner alone; the public half is shown."""
    stick = tmp_path / "key.txt"
    command = [*COMMAND, "backup", "key", "--to", str(stick)]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    secret = stick.read_text().splitlines()[-1]
    assert secret.startswith("AGE-SECRET-KEY-1")
    assert secret not in told.stdout
    assert 'recipient = "age1' in told.stdout
    assert stick.stat().st_mode & 0o777 == 0o600
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (again.returncode, len(lines(again))) == (1, 1)
    assert stick.read_text().splitlines()[-1] == secret
    assert make_key()[0] != make_key()[0]
