# SPDX-License-Identifier: AGPL-3.0-or-later
"""What staff see and do when a new box waits, and what a stranger may say to the server."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Flask
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from access_contract.enrolling import NONCE_BYTES, commitment
from booking_server.broker.settings import write_broker
from booking_server.config import Config
from booking_server.doors.enrolment import BEGUN_BY_ONE_MAX
from booking_server.web.request import EXTENSION, Hub
from door_agent.enrolling import Box, NotEnrolled, address_of, hardware
from tests.web.conftest import BILLING, HOST, Served, csrf, signed_in
from tests.web.playing import PlayedDoor

HTTPS = {"base_url": "https://hub.example"}
KEY, SEALING, NONCE = ec.generate_private_key(ec.SECP256R1()), X25519PrivateKey.generate(), b"n" * NONCE_BYTES


def words(**more: object) -> dict[str, Any]:
    """A box's first word, as JSON has it."""
    said: dict[str, object] = {
        "signing_key": KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "sealing_key": SEALING.public_key().public_bytes_raw(),
        "commitment": commitment(NONCE),
        "hardware": "Raspberry Pi 5",
        **more,
    }
    return {name: base64.b64encode(value).decode() if isinstance(value, bytes) else value for name, value in said.items()}


def post(app: Flask, path: str, body: object) -> TestResponse:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return app.test_client().post(path, data=content, content_type="application/json", **HTTPS)


def test_a_box_is_compared_approved_and_seen_online(served: Served, tmp_path: Path) -> None:
    """The page is empty, then shows the box without its whole code; a wrong code is told, the right one shows it, and the door
    counts as online when it was heard after that and not before."""
    desk, staff = served.desk, served.visitor()
    desk.door("lobby", "Lobby", leads_into=desk.site("Omnia"))
    write_broker(Config(database="", state_folder=str(tmp_path / "state")))
    staff.see("/boxes").must_say("No box is waiting.")
    staff.see("/spaces").must_say("New boxes")
    box = Box(address_of(served.address), "Raspberry Pi 5, serial 1000")
    code = box.begin()
    waiting = staff.see("/boxes").must_say("Raspberry Pi 5, serial 1000", "127.0.0.1", f"··· {code[3:]}")
    page = staff.see(next(to for to, _ in waiting.links if to.startswith("/boxes/")))
    assert code not in page.words.replace(" ", "")
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    staff.post(page, "/approval", code=wrong, door_id="lobby", status=422).must_say("does not show this code")
    staff.post(page, "/approval", code="12", door_id="lobby", status=422).must_say("Type the six digits")
    staff.post(page, "/approval", code=code, door_id="", status=422).must_say("Choose the door")
    PlayedDoor(desk, "lobby").status()
    approved = staff.post(page, "/approval", code=code, door_id="lobby")
    approved.must_say("Now say yes at the box", f"{code[:3]} {code[3:]}")
    assert box.wait(poll_seconds=0.05).door == "lobby"
    PlayedDoor(desk, "lobby").status(online=False)
    PlayedDoor(desk, "lobby").status()
    staff.see(approved.path).must_say("The door is online.")
    staff.see("/boxes").must_say("No box is waiting.")


def test_a_box_can_be_sent_away(served: Served, tmp_path: Path) -> None:
    """One click, and the box is told that it was refused; without a door in the hub the page says to make one first."""
    write_broker(Config(database="", state_folder=str(tmp_path / "state")))
    staff, box = served.visitor(HOST), Box(address_of(served.address), "")
    box.begin()
    waiting = staff.see("/boxes").must_say("A box that does not say what it is")
    page = staff.see(next(to for to, _ in waiting.links if to.startswith("/boxes/"))).must_say("Make a door first")
    staff.post(page, "/refusal").must_say("No box is waiting.")
    with pytest.raises(NotEnrolled, match="staff refused this box"):
        box.wait(poll_seconds=0.05)
    staff.see(page.path).must_say("This box was refused.")


def test_only_who_looks_after_doors_sees_boxes(app: Flask) -> None:
    """The billing person is refused the list, a box, and every act."""
    client = signed_in(app, BILLING)
    token = csrf(client, "/people")
    for path in ("/boxes", "/boxes/0", "/boxes/0/state"):
        assert client.get(path, **HTTPS).status_code == 403
    for path in ("/boxes/0/approval", "/boxes/0/refusal"):
        sent = client.post(path, data={"csrf_token": token}, headers={"Referer": "https://hub.example/"}, **HTTPS)
        assert sent.status_code == 403


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"signing_key": b""}, "signing_key"),
        ({"signing_key": "?"}, "signing_key"),
        ({"signing_key": 7}, "signing_key"),
        ({"sealing_key": bytes(32)}, "sealing_key"),
        ({"sealing_key": None}, "sealing_key"),
        ({"commitment": b"c" * 33}, "commitment"),
        ({"hardware": ["x"]}, "hardware"),
        ({"v": 2}, "v"),
    ],
)
def test_a_bad_word_is_refused_at_its_field(app: Flask, more: dict[str, object], field: str) -> None:
    """Each field of the first word: a wrong one is 422 with one sentence and the field's name, and begins nothing."""
    answer = post(app, "/enrol", words(**more))
    assert (answer.status_code, answer.get_json()["field"]) == (422, field)
    assert answer.get_json()["error"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'"x"', b"\xff\xfe", b"{" * 5000, b"null", b'{"v": 2, ?', b'{"v": 2, "x": "\xff"}']
)
def test_what_is_no_word_at_all_is_refused(app: Flask, content: bytes) -> None:
    """Nothing that a stranger sends breaks the server."""
    for path in ("/enrol", "/enrol/0/nonce"):
        assert post(app, path, content).status_code == 422
    assert post(app, "/enrol", b" " * 70_000).status_code == 413


def test_the_nonce_must_fit_and_its_box_be_known(app: Flask) -> None:
    """Another nonce than the one committed to, or an enrolment that is not there, is told; the right one may be said twice."""
    began = post(app, "/enrol", words())
    assert began.status_code == 201
    address = f"/enrol/{began.get_json()['enrolment']}"
    assert post(app, f"{address}/nonce", {"nonce": base64.b64encode(b"x" * 32).decode()}).get_json()["field"] == "nonce"
    right = {"nonce": base64.b64encode(NONCE).decode()}
    assert post(app, f"{address}/nonce", right).get_json() == post(app, f"{address}/nonce", right).get_json()
    assert post(app, f"/enrol/{'0' * 32}/nonce", right).status_code == 404
    assert app.test_client().get(f"/enrol/{'0' * 32}", **HTTPS).status_code == 404
    assert app.test_client().get(address, **HTTPS).get_json()["state"] == "waiting"


def test_who_is_nobody_waits_for_no_writer_and_keeps_none_waiting(app: Flask) -> None:
    """Guesses, a nonce said again, the page behind a door's sign: answered while somebody writes; told once."""
    address = f"/enrol/{post(app, '/enrol', words()).get_json()['enrolment']}/nonce"
    right = {"nonce": base64.b64encode(NONCE).decode()}
    with capture_logs() as told:
        said = [post(app, address, right).get_json()]
        hub: Hub = app.extensions[EXTENSION]
        with hub.database.write():
            said.append(post(app, address, right).get_json())
            assert post(app, f"/enrol/{'0' * 32}/nonce", right).status_code == 404
            assert post(app, address, {"nonce": base64.b64encode(b"x" * 32).decode()}).status_code == 422
            assert app.test_client().get("/why/front", **HTTPS).status_code == 200
    assert said[0] == said[1]
    assert [line["event"] for line in told if line["event"] != "answered"] == ["new_box"]


def test_too_many_are_told_when_to_come_again(app: Flask) -> None:
    """One address may begin a few; then it is 429 with the seconds to wait, whatever it sends."""
    for number in range(BEGUN_BY_ONE_MAX):
        assert post(app, "/enrol", words(commitment=bytes([number]) * 32)).status_code == 201
    answer = post(app, "/enrol", words(commitment=b"z" * 32))
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 900
    assert "Try again in 15 minutes" in answer.get_json()["error"]


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("hub.example.org", "https://hub.example.org"),
        ("https://hub.example.org/", "https://hub.example.org"),
        ("192.168.1.10:8080", "https://192.168.1.10:8080"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
    ],
)
def test_an_address_is_taken_as_people_type_it(typed: str, address: str) -> None:
    """With https or without, with a port or without."""
    assert address_of(typed) == address


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "http://hub.example.org",
        "ftp://hub.example.org",
        "https://",
        "https://hub/doors/front",
        "https://a:b@hub",
        "hub:99999",
    ],
)
def test_what_is_no_address_is_told(typed: str) -> None:
    """Plain http beyond this machine, a page instead of the server, no such port: one sentence says what is allowed."""
    with pytest.raises(NotEnrolled, match="--server is"):
        address_of(typed)


def test_a_box_says_what_it_is() -> None:
    """Model and serial number as the Pi tells them, and its name; without them its name alone."""

    def tells(file: Any) -> bytes:
        return {"model": b"Raspberry Pi 5 Model B\x00", "serial-number": b"1000000012345678\x00"}[file.name]

    def knows_nothing(_file: Any) -> bytes:
        raise FileNotFoundError

    assert hardware(tells).startswith("Raspberry Pi 5 Model B, serial 1000000012345678, ")
    assert "," not in hardware(knows_nothing)
