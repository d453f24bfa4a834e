# SPDX-License-Identifier: AGPL-3.0-or-later
"""Do the commands do what docs/import.md says, with the very example that stands there?"""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from booking_server.cli import main
from booking_server.people import service as people
from booking_server.tags import service as tags
from tests.booking_server.hub import HOST, Hub
from tests.system.settings_file import write_settings

EXAMPLE = (Path(__file__).parents[3] / "docs" / "import.md").read_text(encoding="utf-8").split("```csv\n")[1].split("```")[0]


class Server:
    """The commands at the server, and a folder with a file of people."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder, self.file = folder, folder / "people.csv"
        self.settings: dict[str, object] = {"database": database_url, "state_folder": str(folder / "state")}

    def run(self, *words: str) -> Result:
        write_settings(self.folder / "server.toml", self.settings)
        return CliRunner().invoke(main, ["--config", str(self.folder / "server.toml"), *words])

    def importing(self, *words: str) -> Result:
        return self.run("import", str(self.file), *words)


@pytest.fixture
def server(hub: Hub, database_url: str, tmp_path: Path) -> Server:
    made = Server(tmp_path, database_url)
    made.file.write_text(EXAMPLE, encoding="utf-8")
    return made


def test_the_example_is_shown_and_done_by_the_line_that_it_ends_with(server: Server, hub: Hub) -> None:
    """Aino is known by her e-mail, Bo is new; the printed command does it, and the next dry run has nothing to do."""
    shown = server.importing()
    assert shown.exit_code == 0, shown.output
    for said in (
        "changed",
        "new",
        "Bo Åberg",
        "Read as UTF-8, with ; between cells",
        "2 rows: 1 new, 1 changed, 0 same, 0 refused.",
    ):
        assert said in shown.output, shown.output
    word = shown.output.split("--shown ")[1].split()[0]
    with hub.desk.database.read() as tx:
        assert len(people.people(tx, HOST)) == 2
    done = server.importing("--apply", "--shown", word)
    assert (done.exit_code, "Done." in done.output) == (0, True), done.output
    with hub.desk.database.read() as tx:
        bo = next(one for one in people.people(tx, HOST) if one.name == "Bo Åberg")
        assert {tag.last_digits for tag in tags.tags_of(tx, bo.id)} == {"E5F6", "7C6D"}
    assert "Nothing to do." in server.importing().output
    late = server.importing("--apply", "--shown", word)
    assert (late.exit_code, "Something has changed" in late.output) == (1, True)


def test_what_is_wrong_is_one_line_and_nothing_is_done(server: Server, hub: Hub) -> None:
    """No file, no table, an unknown site, a refused row: each says what to do, and how to leave refused rows out."""
    assert "no-such.csv: No such file" in server.run("import", str(server.folder / "no-such.csv")).output
    assert "There is no site called 'Mars'. There are: Omnia." in server.importing("--site", "Mars").output
    server.file.write_bytes(b"PK\x03\x04")
    assert server.importing().output.startswith(f"Error: {server.file}: This is a workbook")
    server.file.write_text(EXAMPLE + "X;x;;x;;;;;;;\n", encoding="utf-8")
    report = server.folder / "report.csv"
    shown = server.importing("--report", str(report))
    assert "--skip-refused --shown" in shown.output
    assert "4;refused;X;email;Write an e-mail address" in report.read_text(encoding="utf-8-sig")
    refused = server.importing("--apply")
    assert (refused.exit_code, "1 rows are refused, so nothing was imported." in refused.output) == (1, True)
    assert server.importing("--apply", "--skip-refused").exit_code == 0
    with hub.desk.database.read() as tx:
        assert {one.name for one in people.people(tx, HOST)} == {"Aino Virtanen", "Ville Korhonen", "Bo Åberg"}


def test_the_roster_command_says_counts_only_and_fails_where_it_stopped(server: Server) -> None:
    """Its words go to the journal: no name, no address. Without a file set there is nothing to do."""
    assert server.run("roster").output.startswith("no roster: [roster] file is not set")
    server.settings["roster"] = {"file": str(server.file), "access": "Omnia", "address": "Katu 1"}
    server.file.write_text("external id;name;email\n1;Bo Åberg;bo@example.org\n2;Kai;bad\n", encoding="utf-8")
    done = server.run("roster")
    assert (done.exit_code, done.output) == (0, "roster: 1 new, 0 changed, 0 same, 1 refused, 0 ended\n")
    server.file.write_text("external id;name;email\n", encoding="utf-8")
    stopped = server.run("roster")
    assert stopped.exit_code == 1
    assert f"{server.file} names nobody, so nothing was changed; mend it, or if it is right: " in stopped.output
    assert "bo@" not in done.output + stopped.output
    assert server.run("roster", "--yes-all").exit_code == 0
