# SPDX-License-Identifier: AGPL-3.0-or-later
"""Do the broker's commands write what is needed, keep what is there, and say in one line what is wrong?"""

from __future__ import annotations

import socket
import stat
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509

from booking_server.cli import main
from door_agent.config import load as load_door
from door_agent.main import check as check_door
from tests.booking_server.hub import StillClock
from tests.system import parts
from tests.system.desk import Desk
from tests.system.processes import free_port
from tests.system.settings_file import write_settings


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """A server's settings, and everything that `init` makes."""
    file = tmp_path / "server.toml"
    write_settings(
        file,
        {
            "database": f"sqlite:///{tmp_path / 'hub.sqlite'}",
            "state_folder": str(tmp_path / "state"),
            "broker": {"host": "127.0.0.1", "port": free_port()},
        },
    )
    assert call(file, "init").exit_code == 0
    return file


@pytest.fixture
def door(settings: Path, tmp_path: Path) -> str:
    from booking_server.db import Database
    from booking_server.keys import load_keys

    database = Database(f"sqlite:///{tmp_path / 'hub.sqlite'}")
    desk = Desk(database, load_keys(tmp_path / "state"), StillClock())
    made = desk.door("front", 'Front "street" door', leads_into=desk.site("Hub"))
    database.close()
    return made


def call(settings: Path, *words: str | Path) -> Result:
    return CliRunner().invoke(main, ["--config", str(settings), *map(str, words)])


def test_init_twice_keeps_keys_and_certificates(settings: Path, tmp_path: Path) -> None:
    """What was made stays, byte for byte: a second init locks no door out."""
    kept = [
        *(tmp_path / "state" / "keys").iterdir(),
        *(tmp_path / "state").rglob("ca.*"),
        *(tmp_path / "state").rglob("key.pem"),
    ]
    before = {file: file.read_bytes() for file in kept}
    assert call(settings, "init").exit_code == 0
    assert {file: file.read_bytes() for file in kept} == before
    assert len(before) > 5


def test_secrets_are_readable_by_their_owner_alone(settings: Path, tmp_path: Path) -> None:
    """No private key, of the server, the authority or the broker, can be read by another user."""
    secret = [f for f in (tmp_path / "state").rglob("*") if f.suffix == ".key" or f.name == "key.pem"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in secret} == {0o600}
    assert {"vault.key", "ca.key", "broker.key", "key.pem"} <= {file.name for file in secret}


def test_a_door_starts_from_its_files(settings: Path, door: str, tmp_path: Path) -> None:
    """The folder that the command writes is all that a door needs: its agent finds nothing to complain of."""
    to = tmp_path / "front-door"
    assert call(settings, "door-files", door, "--to", to).exit_code == 0
    assert load_door(to / "door.toml").door == "front"
    check_door(to / "door.toml")
    certificate = x509.load_pem_x509_certificate((to / "certificate.pem").read_bytes())
    assert certificate.subject.rfc4514_string() == "CN=front"
    assert not any(file.name == "key.pem" for file in (tmp_path / "state" / "authority").rglob("*"))


def test_a_filled_folder_and_an_unknown_door_are_refused(settings: Path, door: str, tmp_path: Path) -> None:
    """Files of a door are never written over others, and a door that the server does not have gets none."""
    (tmp_path / "filled").mkdir()
    (tmp_path / "filled" / "something").touch()
    filled = call(settings, "door-files", door, "--to", tmp_path / "filled")
    unknown = call(settings, "door-files", "back", "--to", tmp_path / "new")
    assert filled.exit_code == unknown.exit_code == 1
    assert "is not empty" in filled.output
    assert "There is no door back." in unknown.output
    assert not (tmp_path / "new").exists()


def test_revoking_writes_list_and_rights(settings: Path, door: str, tmp_path: Path) -> None:
    """A revoked door stands on the list and has no rights; new files give the rights back, the old certificate stays out."""
    call(settings, "door-files", door, "--to", tmp_path / "old")
    said = call(settings, "broker", "revoke", door)
    assert said.exit_code == 0, said.output
    rights, listed = (tmp_path / "state" / "broker" / name for name in ("acl", "revoked.pem"))
    old = x509.load_pem_x509_certificate((tmp_path / "old" / "certificate.pem").read_bytes())
    assert "user front\ntopic deny hubkey/v1/#" in rights.read_text(encoding="utf-8")
    call(settings, "door-files", door, "--to", tmp_path / "new")
    assert "user front" not in rights.read_text(encoding="utf-8")
    crl = x509.load_pem_x509_crl(listed.read_bytes())
    new = x509.load_pem_x509_certificate((tmp_path / "new" / "certificate.pem").read_bytes())
    assert crl.get_revoked_certificate_by_serial_number(old.serial_number) is not None
    assert crl.get_revoked_certificate_by_serial_number(new.serial_number) is None


def test_revoking_nobody_says_so(settings: Path) -> None:
    """A name that never had a certificate is a clear line."""
    said = call(settings, "broker", "revoke", "nobody")
    assert said.exit_code == 1
    assert "no certificate was ever issued to 'nobody'" in said.output


@pytest.mark.skipif(parts.mosquitto() is None, reason=parts.missing("Mosquitto"))
def test_a_taken_port_is_one_line(settings: Path) -> None:
    """`broker run` names the setting and the port that somebody else has."""
    port = tomllib.loads(settings.read_text(encoding="utf-8"))["broker"]["port"]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        said = call(settings, "broker", "run")
    assert said.exit_code == 1
    assert f"127.0.0.1:{port} cannot be used" in said.output


def test_every_command_explains_itself() -> None:
    """Each command and subcommand has a help text that starts with what it does."""
    for words in (
        (),
        ("init",),
        ("database", "upgrade"),
        ("account", "add"),
        ("broker", "revoke"),
        ("door-files",),
        ("doors",),
        ("web",),
    ):
        said = CliRunner().invoke(main, [*words, "--help"])
        assert said.exit_code == 0
        assert len(said.output.splitlines()) > 4
