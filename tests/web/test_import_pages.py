# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does a host see what becomes of each row of a file, say yes to just that, and can do it without JavaScript and on a phone?"""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from booking_server.accounts.tables import sessions
from booking_server.config import Config, Roster, SignIn
from booking_server.importing.rosters import read_roster
from booking_server.importing.rules import UPLOAD_BYTES_MAX
from booking_server.importing.tables import uploads
from booking_server.people import service as people
from booking_server.web.app import create_app
from tests.booking_server.hub import HOST as ANY_HOST
from tests.booking_server.hub import NOW
from tests.system.desk import Desk
from tests.web.browser import WIDTHS, chromium
from tests.web.browser import signed_in as browser_signed_in
from tests.web.conftest import BILLING, HOST, Served, csrf, signed_in

BASE = "https://hub.example"
GOOD = "name;email;address;unknown\nBo Åberg;bo@example.org;Gatan 2;x\n=SUM(A1);f@example.org;Katu 1;\n"


@pytest.fixture
def client(desk: Desk, tmp_path: Path) -> FlaskClient:
    """A host, signed in."""
    config = Config(database="", state_folder=str(tmp_path), language="en", sign_in=SignIn(second_factor="nobody"))
    return signed_in(create_app(desk.database, config, desk.keys, desk.clock), HOST)


def upload(client: FlaskClient, content: bytes, name: str = "people.csv") -> TestResponse:
    """Send the form as a browser does."""
    head = "Content-Disposition: form-data; name="
    token = f'--edge\r\n{head}"csrf_token"\r\n\r\n{csrf(client, "/people/import")}\r\n'
    file = f'--edge\r\n{head}"file"; filename="{name}"\r\nContent-Type: text/csv\r\n\r\n'
    return client.post(
        "/people/import",
        data=token.encode() + file.encode() + content + b"\r\n--edge--\r\n",
        content_type="multipart/form-data; boundary=edge",
        base_url=BASE,
        headers={"Referer": f"{BASE}/people/import"},
    )


def shown(client: FlaskClient, content: bytes) -> tuple[str, str]:
    """Upload a file; return where its rows are shown, and the page."""
    answer = upload(client, content)
    assert answer.status_code == 303, answer.text
    return answer.location, client.get(answer.location, base_url=BASE).text


def say_yes(client: FlaskClient, path: str, page: str, **more: str) -> TestResponse:
    """Send the form as it stands on the page."""
    token, word = (page.split(f'name="{name}" value="')[1].split('"')[0] for name in ("csrf_token", "shown"))
    data = {"csrf_token": token, "shown": word, **more}
    return client.post(path, data=data, base_url=BASE, headers={"Referer": f"{BASE}{path}"}, follow_redirects=True)


def names(desk: Desk) -> set[str]:
    with desk.database.read() as tx:
        return {one.name for one in people.people(tx, ANY_HOST)}


def waiting(desk: Desk) -> int:
    with desk.database.read() as tx:
        return int(tx.execute(select(func.count()).select_from(uploads)).scalar_one())


def test_a_file_is_shown_done_and_gone(client: FlaskClient, desk: Desk) -> None:
    """In Windows-1252: said so, with the column that is skipped; the yes does it once, and the file waits no more."""
    path, page = shown(client, GOOD.encode("cp1252"))
    for said in ("Windows-1252", "Bo Åberg", "unknown", "=SUM(A1)"):
        assert said in page, said
    assert names(desk) == set()
    assert "2 people are new." in say_yes(client, path, page).text
    assert names(desk) == {"Bo Åberg", "=SUM(A1)"}
    assert waiting(desk) == 0
    assert say_yes(client, path, page).status_code == 404
    _, again = shown(client, GOOD.encode())
    assert "Nothing would be changed." in again
    assert "Do just this" not in again


def test_what_changed_in_between_is_shown_anew_and_nothing_is_done(client: FlaskClient, desk: Desk) -> None:
    """Somebody added one of the people at the desk meanwhile."""
    path, page = shown(client, GOOD.encode())
    desk.person("Bo Other", email="bo@example.org")
    answer = say_yes(client, path, page)
    assert answer.status_code == 422
    assert "Something has changed since this was shown." in answer.text
    assert names(desk) == {"Bo Other"}


def test_refused_rows_come_first_all_are_in_the_table_and_stop_the_rest(client: FlaskClient, desk: Desk) -> None:
    """A thousand bad rows: a hundred on the page, every one in the download, in which no cell is a formula."""
    text = GOOD + "".join(f"@P{n};bad;Katu\n" for n in range(1000))
    path, page = shown(client, text.encode("utf-16"))
    assert "UTF-16" in page
    assert page.count("Write an e-mail address") == 100
    answer = say_yes(client, path, page)
    assert answer.status_code == 422
    assert "1000 rows are refused" in answer.text
    table = client.get(f"{path}/report", base_url=BASE)
    assert table.content_type == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(table.data.decode("utf-8-sig")), delimiter=";"))
    assert [int(row["row"]) for row in rows if row["fate"] == "refused"] == list(range(4, 1004))
    assert {row["name"][:2] for row in rows if row["fate"] == "refused"} == {"'@"}
    assert "'=SUM(A1)" in {row["name"] for row in rows}
    assert say_yes(client, path, page, skip_refused="1").status_code == 200
    assert names(desk) == {"Bo Åberg", "=SUM(A1)"}


def test_a_file_that_cannot_be_read_is_one_sentence(client: FlaskClient, desk: Desk) -> None:
    """A workbook, a picture, a half quotation, no known column, nothing, too much: said at the field, and nothing is kept."""
    for content, said in (
        (b"PK\x03\x04rest", "This is a workbook"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR", "is no text in UTF-8"),
        (b'name;email\n"Bo;bo@example.org\n', "a quotation mark"),
        (b"a;b\nc;d\n", "names no column by which a person can be known"),
        (b"", "Choose a file that is not empty."),
        (b"name;email\n" + b"x" * UPLOAD_BYTES_MAX, "larger than 2 MB"),
    ):
        answer = upload(client, content)
        assert (answer.status_code, said in answer.text) == (422, True), (said, answer.text)
    assert upload(client, b"x" * (UPLOAD_BYTES_MAX * 2)).status_code == 413
    assert waiting(desk) == 0


def test_only_here_may_a_form_be_large(client: FlaskClient) -> None:
    """Any other form of that size is refused before anybody reads it."""
    data = {"csrf_token": csrf(client, "/people/new"), "name": "x" * 100_000}
    assert client.post("/people/new", data=data, base_url=BASE, headers={"Referer": BASE}).status_code == 413


def test_a_waiting_file_is_sealed_ones_own_and_gone_after_an_hour(client: FlaskClient, desk: Desk, tmp_path: Path) -> None:
    """Not a byte of it stands in the database; another host is told that there is none; so is its owner in the next hour."""
    path, page = shown(client, b"email;keytag;name;address\nbo@example.org;04A1B2C3D4E5F6;Bo;x\n")
    kept = b"".join(one.read_bytes() for one in tmp_path.glob("still.sqlite*"))
    assert b"04A1B2C3D4E5F6" not in kept
    assert b"bo@example.org" not in kept
    other = signed_in(client.application)
    assert other.get(path, base_url=BASE).status_code == 404
    assert "…E5F6" in page
    with desk.database.write() as tx:
        tx.execute(uploads.update().values(at=NOW - timedelta(minutes=61)))
    assert client.get(path, base_url=BASE).status_code == 404


def test_who_sits_there_is_asked_again_and_billing_may_not(client: FlaskClient, desk: Desk) -> None:
    """An old session proves itself before it gets to the page; without that no file is taken."""
    path, page = shown(client, GOOD.encode())
    with desk.database.write() as tx:
        tx.execute(sessions.update().values(confirmed_at=NOW - timedelta(minutes=11)))
    for one in ("/people/import", path, f"{path}/report"):
        assert client.get(one, base_url=BASE).location.startswith("/confirm?next=")
    assert "/confirm" in say_yes(client, path, page).request.path
    assert names(desk) == set()
    assert signed_in(client.application, BILLING).get("/people/import", base_url=BASE).status_code == 403


def test_today_and_the_page_say_why_the_roster_stopped(desk: Desk, tmp_path: Path) -> None:
    """Until a good run; for a hub without a roster neither says anything."""
    file = tmp_path / "roster.csv"
    config = Config(
        database="",
        state_folder=str(tmp_path),
        language="en",
        sign_in=SignIn(second_factor="nobody"),
        roster=Roster(file=str(file)),
    )
    client = signed_in(create_app(desk.database, config, desk.keys, desk.clock), HOST)
    assert "The roster needs attention" not in client.get("/", base_url=BASE).text
    read_roster(desk.database, config, desk.keys.vault, now=NOW)
    assert "The roster needs attention" in client.get("/", base_url=BASE).text
    assert "The roster could not be read" in client.get("/people/import", base_url=BASE).text
    file.write_text("external id;name;email;address\n1;Bo;bo@example.org;x\n", encoding="utf-8")
    read_roster(desk.database, config, desk.keys.vault, now=NOW)
    assert "The roster needs attention" not in client.get("/", base_url=BASE).text


def test_the_pages_fit_a_phone_and_a_desk(running: Served, tmp_path: Path) -> None:
    """A real browser chooses a file and sees it, at 360 and 1280 pixels, without moving sideways or a call elsewhere."""
    file = tmp_path / "people.csv"
    file.write_text(GOOD + "Kai;no address;Katu;\n", encoding="utf-8")
    with chromium() as browser:
        for size in WIDTHS:
            page, troubles = browser_signed_in(browser, running, size)
            page.goto(f"{running.address}/people/import")
            page.set_input_files("#file", file)
            page.screenshot(path=str(tmp_path / f"{size}-file.png"), full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            page.click("button.primary")
            page.wait_for_url("**/people/import/*")
            page.screenshot(path=str(tmp_path / f"{size}-shown.png"), full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert troubles == []
