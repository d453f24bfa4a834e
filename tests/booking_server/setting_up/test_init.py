# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does `booking-server init` make a server of five answers, ask again for a bad one, and leave nothing half done?"""

from __future__ import annotations

import stat
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from booking_server.accounts import service as accounts
from booking_server.actors import COMMAND_LINE, Role
from booking_server.clock import SystemClock
from booking_server.config import load
from booking_server.db import Database
from booking_server.setting_up.answers import FILES
from tests.booking_server.messages.mail_server import mail_server
from tests.booking_server.setting_up.owned import write_certificate
from tests.booking_server.setting_up.typist import SERVER, Typist
from tests.system.processes import free_port

NAME = "hub.example.org"
PASSWORD = "seven grey herons at dawn"
ADMINISTRATOR = "aino@example.org"
USER, MAIL_PASSWORD = "hub", "let me in"


@pytest.fixture
def words(tmp_path: Path) -> list[str | Path]:
    """The command for a hub in a folder of its own, where no unit reads it."""
    broker = ["--broker-port", str(free_port())]
    return ["--config", tmp_path / "etc" / "server.toml", "init", "--state-folder", tmp_path / "state", *broker, "--no-start"]


def by_options(folder: Path) -> list[str]:
    (folder / "password").write_text(f"{PASSWORD}\n", encoding="ascii")
    given = ["--name", "Oma Hub", "--address", f"{NAME}:{free_port()}", "--certificate", "authority"]
    return [*given, "--administrator", ADMINISTRATOR, "--password-file", str(folder / "password"), "--no-mail"]


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SERVER, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=100)


def administrators(folder: Path) -> list[str]:
    database = Database(f"sqlite:///{folder / 'state' / 'hub.sqlite'}")
    try:
        with database.read() as tx:
            found = accounts.accounts(tx, COMMAND_LINE)
    finally:
        database.close()
    return [one.sign_in_name for one in found if (Role.ADMINISTRATOR, None) in one.roles]


def test_five_answers_make_a_server(words: list[str | Path], tmp_path: Path) -> None:
    """Each bad answer is said in one line and asked again; mail is tried in earnest; secrets lie in files of their own."""
    now, port = SystemClock().now(), free_port()
    _, wrong = write_certificate(tmp_path / "other", NAME, begins=now - timedelta(days=1))
    certificate, key = write_certificate(tmp_path / "own", NAME, begins=now - timedelta(days=1))
    with mail_server(password=(USER, MAIL_PASSWORD)) as server, Typist(*words) as founder:
        founder.answers("1. ", "  Oma   Hub ")
        founder.answers("2. ", "http://nowhere")
        founder.reads("! Give a name or an IP address")
        founder.answers("2. ", f"{NAME}:{port}")
        founder.answers("Which one", "none")
        founder.reads("! Choose one of: acme, files, authority")
        founder.answers("Which one", "files")
        founder.answers("File of the certificate", str(certificate))
        founder.answers("private key", str(wrong))
        founder.reads("! ")
        founder.reads("is the key of another certificate")
        founder.answers("private key", str(key))
        founder.answers("4. ", ADMINISTRATOR)
        founder.answers("Password", "short")
        founder.answers("The same again", "short")
        founder.reads("! ")
        founder.answers("Password", PASSWORD)
        founder.answers("The same again", PASSWORD)
        founder.answers("5. ", f"localhost:{server.port}")
        founder.answers("Encrypted by", "none")
        founder.answers("User name", USER)
        founder.answers("Password there", "wrong")
        founder.answers("Sender", "")
        founder.reads("! the mail server localhost does not let us in")
        for question in ("5. ", "Encrypted by", "User name"):
            founder.answers(question, "")
        founder.answers("Password there", MAIL_PASSWORD)
        founder.answers("Sender", "")
        founder.reads("on its way to aino@")
        founder.reads("may sign in as administrator")
        assert founder.ends() == 0
    assert PASSWORD not in founder.said
    assert MAIL_PASSWORD not in founder.said
    assert [mail["To"] for mail in server.mails()] == [ADMINISTRATOR]
    config = load(tmp_path / "etc" / "server.toml")
    assert (config.name, config.web.origin, config.broker.known_as) == ("Oma Hub", f"https://{NAME}:{port}", NAME)
    assert (config.web.certificate, config.web.key) == (str(certificate), str(key))
    assert Path(config.mail.password_file).read_text(encoding="utf-8") == f"{MAIL_PASSWORD}\n"
    assert [
        stat.S_IMODE(Path(file).stat().st_mode) for file in (config.mail.password_file, tmp_path / "etc" / "server.toml")
    ] == [0o640] * 2
    assert administrators(tmp_path) == [ADMINISTRATOR]


def test_who_breaks_off_leaves_the_machine_as_it_was(words: list[str | Path], tmp_path: Path) -> None:
    """Ctrl-C at a question, be it the last but one: not a file was written."""
    with Typist(*words) as founder:
        founder.answers("1. ", "Oma Hub")
        founder.answers("2. ", f"{NAME}:{free_port()}")
        founder.answers("Which one", "authority")
        founder.answers("4. ", ADMINISTRATOR)
        founder.reads("Password")
        founder.presses_ctrl_c()
        founder.reads("nothing was changed")
        assert founder.ends() == 1
    assert list(tmp_path.iterdir()) == []


def test_what_was_interrupted_goes_on(words: list[str | Path], tmp_path: Path) -> None:
    """Settings that are not in force yet are taken up by the next call, which asks for the administrator only."""
    assert run(*words, *by_options(tmp_path)).returncode == 0
    settings = tmp_path / "etc" / "server.toml"
    settings.rename(settings.with_name("server.toml.coming"))
    (tmp_path / "state" / "hub.sqlite").unlink()
    with Typist(*words) as founder:
        founder.answers("4. ", ADMINISTRATOR)
        founder.answers("Password", PASSWORD)
        founder.answers("The same again", PASSWORD)
        assert founder.ends() == 0
    assert load(settings).name == "Oma Hub"
    assert administrators(tmp_path) == [ADMINISTRATOR]


def test_options_answer_for_a_script_and_twice_changes_nothing(words: list[str | Path], tmp_path: Path) -> None:
    """No terminal is needed; a second run keeps settings, keys and account as they are."""
    options = by_options(tmp_path)
    assert run(*words, *options).returncode == 0
    before = {file: file.read_bytes() for file in (tmp_path / "etc").rglob("*") if file.is_file()}
    before |= {file: file.read_bytes() for file in (tmp_path / "state" / "keys").rglob("*")}
    assert run(*words, *options).returncode == 0
    assert run(*words).returncode == 0
    assert {file: file.read_bytes() for file in before} == before
    assert administrators(tmp_path) == [ADMINISTRATOR]


def test_a_script_is_told_which_answer_is_missing_or_bad(words: list[str | Path], tmp_path: Path) -> None:
    """In one line, with nothing written."""
    options = by_options(tmp_path)
    (tmp_path / "password").rename(tmp_path.parent / f"{tmp_path.name}-password")
    options[options.index("--password-file") + 1] = str(tmp_path.parent / f"{tmp_path.name}-password")
    for given, says in (
        ([], "there are no settings yet"),
        (options[2:], "--name is missing"),
        ([*options, "--certificate", "acme", "--address", "192.168.1.10"], "192.168.1.10 is none: choose files or authority"),
        ([*options, "--address", "x y"], "neither a name nor"),
    ):
        said = run(*words, *given)
        assert (said.returncode, len(said.stderr.splitlines())) == (1, 1), said
        assert says in said.stderr
        assert list(tmp_path.iterdir()) == []


def test_the_shipped_settings_are_good_as_they_are(tmp_path: Path) -> None:
    """Who writes them by hand can begin with the shipped file."""
    assert load(FILES / "server.toml").web.origin == "https://hub.example.org"
