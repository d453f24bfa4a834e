# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may see and change what, and what a page may never load, run or leak."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient

from booking_server.accounts import service as accounts
from tests.booking_server.hub import ADMINISTRATOR as ANNA
from tests.booking_server.hub import NOW, PASSWORD
from tests.system.desk import Desk
from tests.web.conftest import BILLING, HOST, MEMBER, csrf, signed_in

HTTPS = {"base_url": "https://hub.example"}
BOXES = {"/enrol", "/enrol/<enrolment_id>", "/enrol/<enrolment_id>/nonce"}
"""What a new box says before anybody knows it: test_enrolling.py holds what it may."""
WAYS_IN = {
    "/sign-in", "/sign-in/second", "/sign-in/recovery", "/sign-in/link", "/sign-in/link/<token>", "/sign-in/person",
    "/sign-in/passkey", "/passkeys/asking", "/sign-in/federated", "/sign-in/federated/back",
}  # fmt: skip
"""By which somebody gets in: test_ways_in.py, test_passkeys.py and test_federated.py hold what they may."""
WAYS_IN_BY_FORM = [
    "/sign-in", "/sign-in/second", "/sign-in/recovery", "/sign-in/link", "/sign-in/link/x", "/sign-in/person",
    "/sign-in/passkey", "/passkeys/asking",
]  # fmt: skip
NOTICES = {"/privacy", "/privacy/doors/<door_id>"}
OPEN = {"/static/<path:filename>", "/language", "/why/<door_id>"} | NOTICES | WAYS_IN | BOXES
STANDS_FOR = {"int": "1", "default": "nothing", "path": "hub.css"}


def _paths(app: Flask, method: str) -> list[str]:
    """Every address of the app with something in its variable places."""
    rules = [rule for rule in app.url_map.iter_rules() if method in (rule.methods or set()) and rule.rule not in OPEN]
    fill = re.compile(r"<(?:(\w+)(?:\([^)]*\))?:)?\w+>")
    return [fill.sub(lambda found: STANDS_FOR.get(found[1] or "default", "1"), rule.rule) for rule in rules]


def test_every_page_needs_somebody_signed_in(app: Flask) -> None:
    """Without a session every page leads to the sign-in, and a fragment tells the script to go there."""
    client, paths = app.test_client(), _paths(app, "GET")
    assert len(paths) > 20
    for path in paths:
        answer = client.get(path, **HTTPS)
        assert (answer.status_code, answer.headers["Location"].split("?")[0]) == (303, "/sign-in"), path
    fragment = client.get("/today/taps", headers={"HX-Request": "true"}, **HTTPS)
    assert (fragment.status_code, fragment.headers["HX-Redirect"], fragment.text) == (401, "/sign-in", "")


def test_every_change_needs_the_page_s_token(app: Flask) -> None:
    """A POST without the token, or with another session's, is refused and says what to do, signed in or not."""
    client, other = signed_in(app), csrf(app.test_client())
    paths = [*_paths(app, "POST"), *WAYS_IN_BY_FORM, "/language"]
    assert len(paths) > 20
    for path in paths:
        for data in ({}, {"csrf_token": other}):
            answer = client.post(path, data=data, headers={"Referer": "https://hub.example/"}, **HTTPS)
            assert answer.status_code == 400, path
            assert "send the form again" in answer.text


def test_a_form_from_another_site_is_refused(app: Flask) -> None:
    """Even with the right token, a POST that another site's page sent over HTTPS is refused."""
    client = signed_in(app)
    data = {"csrf_token": csrf(client, "/sites/new"), "name": "Omnia", "time_zone": "Europe/Helsinki"}
    answer = client.post("/sites/new", data=data, headers={"Referer": "https://evil.example/"}, **HTTPS)
    assert answer.status_code == 400
    assert client.post("/sites/new", data=data, headers={"Referer": "https://hub.example/"}, **HTTPS).status_code == 303


@pytest.mark.parametrize(
    "path", ["/", "/people", "/people/new", "/spaces", "/doors/new", "/accounts", "/nowhere", "/static/hub.css"]
)
def test_no_page_may_load_or_run_anything_of_elsewhere(app: Flask, path: str) -> None:
    """The policy allows files of this host only, nothing inline, no other site's page around it; and each page keeps to it."""
    with signed_in(app).get(path, **HTTPS) as answer:
        text = answer.get_data(as_text=True)
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    assert answer.headers["Cross-Origin-Opener-Policy"] == answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    if not path.startswith("/static"):
        assert answer.headers["Cache-Control"] == "no-store"
        assert not re.search(r"""\sstyle=|\son[a-z]+=|<style|<script(?![^>]*\ssrc="/static/)|(src|href)="(https?:)?//""", text)


def test_the_session_cookie_is_for_this_host_over_https_only(app: Flask, open_app: Flask) -> None:
    """The cookie's name makes browsers hold to it; without HTTPS, in a demo, it is one that scripts still cannot read."""
    cookie = app.test_client().get("/sign-in", **HTTPS).headers["Set-Cookie"]
    assert cookie.startswith("__Host-hubkey=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    plain = open_app.test_client().get("/sign-in").headers["Set-Cookie"]
    assert plain.startswith("hubkey=")
    assert "HttpOnly" in plain


def test_signing_in_begins_a_session_of_its_own(app: Flask) -> None:
    """What stood in the session before does not stand in it after, so a planted session is worth nothing."""
    client = app.test_client()
    before = csrf(client)
    data = {"csrf_token": before, "sign_in_name": HOST, "password": PASSWORD}
    answer = client.post("/sign-in", data=data, headers={"Referer": "https://hub.example/"}, **HTTPS)
    assert answer.status_code == 303
    assert (
        client.post("/sign-out", data={"csrf_token": before}, headers={"Referer": "https://hub.example/"}, **HTTPS).status_code
        == 400
    )


def test_an_answer_under_way_does_not_undo_a_sign_out(app: Flask) -> None:
    """What a page fetches by itself writes no session, so it brings none back that ended meanwhile in another window."""
    client = signed_in(app)
    client.get("/", **HTTPS)
    for path in ("/", "/today/taps", "/today/doors", "/people"):
        assert "Set-Cookie" not in client.get(path, **HTTPS).headers, path


def test_a_copied_cookie_is_worth_nothing_after_signing_out(app: Flask) -> None:
    """Signing out ends the session on every copy of its cookie; the same account's other session goes on."""
    client, other = signed_in(app), signed_in(app)
    cookie = client.get_cookie("__Host-hubkey", domain="hub.example")
    assert cookie is not None
    token = csrf(client, "/people")
    out = client.post("/sign-out", data={"csrf_token": token}, headers={"Referer": "https://hub.example/"}, **HTTPS)
    thief = app.test_client()
    thief.set_cookie("__Host-hubkey", cookie.value, domain="hub.example", secure=True)
    assert (out.status_code, thief.get("/people", **HTTPS).status_code) == (303, 303)
    assert other.get("/people", **HTTPS).status_code == 200


def test_without_https_a_refused_form_says_why(app: Flask) -> None:
    """A browser does not keep the session over plain HTTP: the page says which address to open, not that a form was old."""
    answer = app.test_client().post("/sign-in", base_url="http://hub.example")
    assert (answer.status_code, "begins with https://" in answer.text) == (400, True)


def _try(client: FlaskClient, **more: str) -> tuple[int, str]:
    data = {"csrf_token": csrf(client), "sign_in_name": HOST, "password": "wrong", **more}
    answer = client.post("/sign-in", data=data, headers={"Referer": "https://hub.example/sign-in"}, **HTTPS)
    return answer.status_code, answer.text if answer.status_code != 303 else answer.headers["Location"]


def test_guessing_is_slowed_down(app: Flask) -> None:
    """Wrong passwords keep the name typed and say so; after a few, even the right one has to wait."""
    client = app.test_client()
    status, text = _try(client)
    assert (status, 'value="heikki"' in text, "The name or the password is wrong." in text) == (422, True, True)
    for _ in range(4):
        _try(client)
    status, text = _try(client, password=PASSWORD)
    assert status == 429
    assert "Too many tries. Wait 15 minutes, then try again." in text


def test_what_was_refused_is_logged_and_by_what_somebody_proved_themselves(app: Flask) -> None:
    """A sign-in, one that failed, an act beyond the role and a forged form: each is a line, of an account where it is known."""
    with structlog.testing.capture_logs() as lines:
        host = signed_in(app, HOST)
        _try(app.test_client())
        host.get("/accounts", **HTTPS)
        host.post("/people/new", **HTTPS)
    security = [line for line in lines if line["event"] == "security"]
    assert [(line["security"], line.get("how"), line.get("endpoint")) for line in security] == [
        ("signed_in", "password", None),
        ("sign_in_failed", "password", None),
        ("not_allowed", None, "accounts.listing"),
        ("form_refused", None, "people.add"),
    ]
    assert len({line["account"] for line in security[:3]} - {None}) == 1


def test_a_file_that_is_not_there_is_not_found_and_not_kept(app: Flask) -> None:
    """No page is given in a file's place, so nothing of a person is kept under a file's name."""
    for path in ("/static/nothing.css", "/people/style.css", "/me.css"):
        answer = signed_in(app).get(path, **HTTPS)
        assert (answer.status_code, "max-age" in answer.headers.get("Cache-Control", "")) == (404, False), path


@pytest.mark.parametrize(
    "elsewhere", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/\x09/evil"]
)
def test_the_sign_in_leads_nowhere_else(app: Flask, elsewhere: str) -> None:
    """After signing in one goes to a page of this server, whatever the address asked for."""
    assert _try(app.test_client(), password=PASSWORD, next=elsewhere) == (303, "/")
    assert _try(app.test_client(), password=PASSWORD, next="/people/1") == (303, "/people/1")


def test_each_role_sees_its_own(app: Flask) -> None:
    """The menu shows what the role may use; what it may not is refused in words, also by address."""
    host, billing, member = signed_in(app, HOST), signed_in(app, BILLING), signed_in(app, MEMBER)
    assert 'href="/accounts"' not in host.get("/", **HTTPS).text
    assert host.get("/accounts", **HTTPS).status_code == 403
    assert billing.get("/", **HTTPS).status_code == 200
    assert "Taps" not in billing.get("/", **HTTPS).text
    assert "No taps yet." in billing.get("/today/taps", **HTTPS).text
    assert billing.get("/spaces", **HTTPS).status_code == 403
    assert member.get("/", **HTTPS).headers["Location"] == "/me"
    for path in ("/people", "/spaces", "/doors/new", "/today/doors"):
        answer = member.get(path, **HTTPS)
        assert answer.status_code == 403, path
        assert "Ask an administrator" in answer.text


def test_a_session_ends_with_its_account_and_its_password(app: Flask, desk: Desk) -> None:
    """Closing the account ends its session at the next request; so does another password."""
    host, billing = signed_in(app, HOST), signed_in(app, BILLING)
    with desk.database.write() as tx:
        ids = {account.sign_in_name: account.id for account in accounts.accounts(tx, ANNA)}
        accounts.close_account(tx, ANNA, now=NOW, account_id=ids[HOST])
        accounts.set_password(tx, ANNA, now=NOW + timedelta(seconds=1), account_id=ids[BILLING], password=PASSWORD + "!")
    for client in (host, billing):
        assert client.get("/people", **HTTPS).headers["Location"] == "/sign-in?next=/people"


def test_wrong_addresses_and_floods_are_answered_with_a_page(app: Flask) -> None:
    """No such page, no such thing, a number too large, a form too large: a page that says what to do, never a fault."""
    client = signed_in(app)
    for path in (
        "/nowhere",
        "/people/99",
        f"/people/{10**30}",
        "/spaces/99",
        "/doors/none",
        "/commands/none",
        "/captures/none",
    ):
        answer = client.get(path, **HTTPS)
        assert answer.status_code == 404, path
        assert "Not found" in answer.text
    assert client.get(f"/today/taps?after={'9' * 40}", **HTTPS).status_code == 200
    token = csrf(client, "/people/new")
    large = {"csrf_token": token, "name": "x" * 100_000}
    answer = client.post("/people/new", data=large, headers={"Referer": "https://hub.example/"}, **HTTPS)
    assert (answer.status_code, "Shorten what you wrote." in answer.text) == (413, True)
    assert "&lt;script&gt;" in client.get("/people?search=%ff'\"<script>", **HTTPS).text
    assert client.get("/people?search=a%00b", **HTTPS).status_code == 400
    assert client.get("/doors/a%00b", **HTTPS).status_code == 400


def test_the_reader_s_language_is_chosen_and_kept(app: Flask) -> None:
    """The browser's language is taken, another one chosen on the page stays through the sign-in."""
    client = app.test_client()
    finnish = client.get("/sign-in", headers={"Accept-Language": "fi-FI,fi;q=0.9,en;q=0.5"}, **HTTPS).text
    assert '<html lang="fi">' in finnish
    assert "Kirjaudu sisään" in finnish
    data = {"csrf_token": csrf(client), "language": "fi", "next": "/sign-in"}
    assert client.post("/language", data=data, headers={"Referer": "https://hub.example/"}, **HTTPS).status_code == 303
    assert _try(client, password=PASSWORD)[0] == 303
    assert "Henkilöt" in client.get("/people", **HTTPS).text
