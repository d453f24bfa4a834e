# SPDX-License-Identifier: AGPL-3.0-or-later
"""Do the broker's commands write what is needed, keep what is there, and say in one line what is wrong?"""

from __future__ import annotations

import os
import pwd
import socket
import stat
import subprocess
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509

from access_contract.messages import Status
from booking_server.actors import COMMAND_LINE
from booking_server.audit import service as audit
from booking_server.backups.sealing import make_key
from booking_server.broker import pki
from booking_server.broker.settings import write_revocations
from booking_server.cli import main
from booking_server.config import load
from booking_server.db import Database
from booking_server.doors import boxes
from booking_server.doors import service as doors
from booking_server.keys import load_keys
from door_agent.config import load as load_door
from door_agent.main import check as check_door
from tests.booking_server.hub import NOW, StillClock
from tests.system import parts
from tests.system.desk import Desk
from tests.system.processes import free_port
from tests.system.settings_file import write_settings

EVERYWHERE = "0.0.0.0"  # noqa: S104 - only written into a file


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
    database = Database(f"sqlite:///{tmp_path / 'hub.sqlite'}")
    desk = Desk(database, load_keys(tmp_path / "state"), StillClock())
    made = desk.door("front", 'Front "street"\x07 door', leads_into=desk.site("Hub"))
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


@pytest.mark.parametrize("name", ["nobody", "*", "server-*", "../ca"])
def test_revoking_nobody_says_so(settings: Path, tmp_path: Path, name: str) -> None:
    """A name that never had a certificate, or a pattern, is a clear line, and nobody is revoked."""
    said = call(settings, "broker", "revoke", name)
    assert said.exit_code == 1
    assert f"no certificate was ever issued to {name!r}" in said.output
    assert not (tmp_path / "state" / "authority" / "revoked.json").exists()


def test_a_revoked_server_gets_a_new_certificate(settings: Path, tmp_path: Path) -> None:
    """The server's own key may leak too: after its revocation the next `broker write` gives it another, with its rights."""
    file = tmp_path / "state" / "identities" / "server-doors-1" / "certificate.pem"
    before = x509.load_pem_x509_certificate(file.read_bytes())
    assert "restart: booking-server doors" in call(settings, "broker", "revoke", "server-doors-1").output
    assert call(settings, "broker", "write").exit_code == 0
    crl = x509.load_pem_x509_crl((tmp_path / "state" / "broker" / "revoked.pem").read_bytes())
    after = x509.load_pem_x509_certificate(file.read_bytes())
    assert crl.get_revoked_certificate_by_serial_number(before.serial_number) is not None
    assert crl.get_revoked_certificate_by_serial_number(after.serial_number) is None
    assert "deny" not in (tmp_path / "state" / "broker" / "acl").read_text(encoding="utf-8")


def test_revoking_is_written_down(settings: Path, door: str, tmp_path: Path) -> None:
    """Who was given a door's files, and what was revoked, stands in the audit."""
    call(settings, "door-files", door, "--to", tmp_path / "to")
    call(settings, "broker", "revoke", door)
    database = Database(f"sqlite:///{tmp_path / 'hub.sqlite'}")
    with database.read() as tx:
        acts = [row["act"] for row in audit.of_subject(tx, "door:front")]
    database.close()
    assert acts[:3] == ["box_stolen", "certificates_revoked", "door_files_written"]


def test_a_stolen_box_is_told_where_no_page_can_be_reached(settings: Path, door: str, tmp_path: Path) -> None:
    """Once, with a reason; new files bring the door back under another tag key, and the old certificate stays out."""
    call(settings, "door-files", door, "--to", tmp_path / "old")
    assert "Missing option '--reason'" in call(settings, "door", "stolen", door).output
    said = call(settings, "door", "stolen", door, "--reason", "torn off the wall")
    assert (said.exit_code, "Keytags to exchange" in said.output) == (0, True), said.output
    again = call(settings, "door", "stolen", door, "--reason", "again")
    assert (again.exit_code, "known as stolen already" in again.output) == (1, True)
    assert "There is no door back." in call(settings, "door", "stolen", "back", "--reason", "gone").output
    assert call(settings, "door-files", door, "--to", tmp_path / "new").exit_code == 0
    old, new = ((tmp_path / name / "tag.key").read_bytes() for name in ("old", "new"))
    assert old != new
    assert pki.revoked_names(tmp_path / "state") == []
    assert len(pki.certificates(tmp_path / "state", door)) == 1


def test_a_change_of_keys_leaves_no_door_behind_unnamed(settings: Path, door: str, tmp_path: Path) -> None:
    """What `keys` shows, and the three steps: a door that lags is named with what to do; files carry both keys."""
    database = Database(f"sqlite:///{tmp_path / 'hub.sqlite'}")

    def heard(known: list[str]) -> None:
        with database.write() as tx:
            doors.keep_status(tx, now=NOW, door_id=door, status=Status(online=True, known_keys=known))

    assert "not heard yet" in call(settings, "keys").output
    first = load_keys(tmp_path / "state")
    assert call(settings, "keys", "rotate", "--without", "nowhere").exit_code == 1
    made = call(settings, "keys", "rotate")
    assert "made and announced" in made.output
    heard(sorted(first.known_keys))
    assert "(to be told)" in call(settings, "keys").output
    assert call(settings, "door-files", door, "--to", tmp_path / "both").exit_code == 0
    assert len(load_door(tmp_path / "both" / "door.toml").server.signing_keys) == 2
    check_door(tmp_path / "both" / "door.toml")
    refused = call(settings, "keys", "rotate")
    assert (refused.exit_code, "--without front" in refused.output) == (1, True)
    heard(sorted(load_keys(tmp_path / "state").known_keys))
    assert "signs from now on" in call(settings, "keys", "rotate").output
    backup = f'\n[backup]\nrecipient = "{make_key()[1]}"\nfolder = "{tmp_path / "backups"}"\n'
    settings.write_text(settings.read_text(encoding="utf-8") + backup, encoding="utf-8")
    assert "First: booking-server backup" in call(settings, "keys", "rotate").output
    assert call(settings, "backup").exit_code == 0
    assert f"{first.current.id} is deleted" in call(settings, "keys", "rotate").output
    database.close()
    assert first.current.id not in call(settings, "keys").output.splitlines()[0]


def test_a_box_that_the_broker_did_not_hear_of_is_put_out_by_hand(settings: Path, door: str, tmp_path: Path) -> None:
    """The page told of it named the command; after that it tells what came of that, and no second theft."""
    call(settings, "door-files", door, "--to", tmp_path / "to")
    database = Database(f"sqlite:///{tmp_path / 'hub.sqlite'}")
    vault = load_keys(tmp_path / "state").vault
    with database.write() as tx:
        wish = boxes.mark_stolen(tx, COMMAND_LINE, now=NOW, vault=vault, door_id=door, reason="gone", serials=())
        boxes.done(tx, now=NOW, revocation_id=wish.id, became="not_read")
    assert call(settings, "broker", "revoke", door).exit_code == 0
    with database.read() as tx:
        last = boxes.last_revocation(tx, door)
    database.close()
    assert last is not None
    assert (last.id, last.became) == (wish.id, "no_broker")


def test_another_process_is_never_signalled(settings: Path, door: str, tmp_path: Path) -> None:
    """A number left behind by a broker that was killed may be another process's by now: that one is left alone."""
    with subprocess.Popen(["sleep", "30"]) as other:
        (tmp_path / "state" / "broker" / "broker.pid").write_text(str(other.pid), encoding="ascii")
        call(settings, "door-files", door, "--to", tmp_path / "to")
        assert call(settings, "broker", "revoke", door).exit_code == 0
        assert other.poll() is None
        other.kill()


def test_commands_beside_each_other_leave_nothing_half_written(settings: Path, tmp_path: Path) -> None:
    """Files for many doors may be written at the same time, while another is revoked: each list is whole, nothing is lost."""
    config, names = load(settings), [f"door-{number}" for number in range(8)]

    def issue_and_revoke(name: str) -> None:
        pki.issue_to(config.folder, name, tmp_path / name)
        pki.revoke(config.folder, name, now=NOW)
        write_revocations(config)

    with ThreadPoolExecutor(8) as together:
        list(together.map(issue_and_revoke, names))
    assert pki.revoked_names(config.folder) == names
    x509.load_pem_x509_crl((tmp_path / "state" / "broker" / "revoked.pem").read_bytes())
    assert [file.name for file in (tmp_path / "state").rglob(".*")] == [".lock"]


def test_a_door_of_a_demo_is_a_simulated_one(settings: Path, door: str, tmp_path: Path) -> None:
    """A demo's door can never be taken for a real one: its files say so, and start as they are."""
    settings.write_text("demo = true\n" + settings.read_text(encoding="utf-8"), encoding="utf-8")
    assert call(settings, "door-files", door, "--to", tmp_path / "to").exit_code == 0
    made = load_door(tmp_path / "to" / "door.toml")
    assert (made.demo, [type(reader).__name__ for reader in made.readers]) == (True, ["Simulated"])


def test_doors_are_told_a_name_that_the_broker_has(settings: Path, door: str, tmp_path: Path) -> None:
    """A broker that listens everywhere needs a name for doors to call it by: none, no files."""
    plain = settings.read_text(encoding="utf-8")
    settings.write_text(plain.replace('"127.0.0.1"', f'"{EVERYWHERE}"'), encoding="utf-8")
    assert "set broker.known_as" in call(settings, "door-files", door, "--to", tmp_path / "to").output
    named = f'"{EVERYWHERE}", "known_as" = "hub.example.org"'
    settings.write_text(plain.replace('"127.0.0.1"', named), encoding="utf-8")
    assert call(settings, "broker", "write").exit_code == 0
    assert call(settings, "door-files", door, "--to", tmp_path / "to").exit_code == 0
    certificate = x509.load_pem_x509_certificate((tmp_path / "state" / "broker" / "broker.pem").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert load_door(tmp_path / "to" / "door.toml").broker.host == "hub.example.org"
    assert "hub.example.org" in names.get_values_for_type(x509.DNSName)


def test_settings_that_would_give_a_door_the_servers_rights_are_refused(settings: Path) -> None:
    """The server's name on the wire begins with "server-", which no door's may."""
    settings.write_text(settings.read_text(encoding="utf-8").replace("{ ", '{ "identity" = "front", ', 1), encoding="utf-8")
    said = call(settings, "broker", "write")
    assert said.exit_code == 1
    assert "broker.identity" in said.output


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can write what another user cannot read")
def test_root_writes_nothing_among_the_servers_own_files(settings: Path, tmp_path: Path) -> None:
    """Typed as root by mistake, a command says as whom to run it, and leaves no file that the server could not read."""
    os.chown(tmp_path / "state", pwd.getpwnam("nobody").pw_uid, -1)
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "state").rglob("*")}
    said = call(settings, "broker", "write")
    assert (said.exit_code, len(said.output.splitlines())) == (1, 1)
    assert "sudo -u nobody" in said.output
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "state").rglob("*")} == before


def test_a_folder_that_cannot_be_written_is_one_line(settings: Path, tmp_path: Path) -> None:
    """A fault of the disk names the file, and is no traceback."""
    (tmp_path / "plain").touch()
    text = settings.read_text(encoding="utf-8").replace(str(tmp_path / "state"), str(tmp_path / "plain" / "state"))
    settings.write_text(text, encoding="utf-8")
    said = call(settings, "broker", "write")
    assert (said.exit_code, len(said.output.splitlines())) == (1, 1)
    assert f"{tmp_path / 'plain'}" in said.output


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
        ("door", "stolen"),
        ("keys", "rotate"),
        ("door-files",),
        ("doors",),
        ("web",),
    ):
        said = CliRunner().invoke(main, [*words, "--help"])
        assert said.exit_code == 0
        assert len(said.output.splitlines()) > 4
