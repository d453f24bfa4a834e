# SPDX-License-Identifier: AGPL-3.0-or-later
"""Are the pages reached over HTTPS wherever they leave this machine, with nothing to set up first?"""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from http.client import HTTPMessage, HTTPSConnection
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from access_contract.enrolling import spaced
from booking_server.actors import SYSTEM
from booking_server.broker import pki
from booking_server.clock import SystemClock
from booking_server.config import BadConfiguration, Config, Web, load
from booking_server.db import Database
from booking_server.doors import enrolment
from booking_server.keys import make_keys
from booking_server.web.asgi import https_files
from tests.system.new_box import NewBox
from tests.system.processes import Processes, answers, free_port
from tests.system.settings_file import write_settings
from tests.web.conftest import SERVER


def config(folder: Path, **web: str) -> Config:
    return Config(database="", state_folder=str(folder / "state"), web=Web(**web))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("web", "https"),
    [
        ({}, False),
        ({"host": "localhost"}, False),
        ({"host": "::1"}, False),
        ({"host": "0.0.0.0"}, True),  # noqa: S104
        ({"host": "192.168.1.10"}, True),
        ({"host": "hub.example.org"}, True),
        ({"certificate": "/c.pem", "key": "/k.pem"}, True),
    ],
)
def test_plain_pages_never_leave_this_machine(web: dict[str, str], https: bool) -> None:  # noqa: FBT001
    """Beyond loopback it is HTTPS without being told; on loopback it is plain unless a certificate is named."""
    assert Web(**web).is_https is https  # type: ignore[arg-type]


def test_the_hub_s_own_authority_vouches_for_the_pages(tmp_path: Path) -> None:
    """Without settings a certificate is made for the host, its name and this machine, and kept while it is good."""
    asked = config(tmp_path, host="0.0.0.0", known_as="hub.example.org")  # noqa: S104
    file, key = https_files(asked)
    made = x509.load_pem_x509_certificate(file.read_bytes())
    made.verify_directly_issued_by(pki.authority(asked.folder)[0])
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    assert {"hub.example.org", "localhost"} <= set(names)
    assert "0.0.0.0" not in names  # noqa: S104
    assert key.stat().st_mode & 0o777 == 0o600
    assert https_files(asked)[0].read_bytes() == file.read_bytes()
    assert https_files(config(tmp_path, host="10.0.0.1"))[0].read_bytes() != made.public_bytes(Encoding.PEM)


def test_a_certificate_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """One sentence names both settings and what is wrong; one of the two alone is refused when the settings are read."""
    (tmp_path / "c.pem").write_text("no certificate", encoding="ascii")
    for certificate in ("c.pem", "missing.pem"):
        with pytest.raises(
            BadConfiguration, match=r"web\.certificate is .* and web\.key is .*, which cannot be used together: "
        ):
            https_files(config(tmp_path, certificate=str(tmp_path / certificate), key=str(tmp_path / "c.pem")))
    write_settings(
        tmp_path / "server.toml",
        {"database": "sqlite:////x", "state_folder": "/x", "web": {"certificate": str(tmp_path / "c.pem")}},
    )
    with pytest.raises(BadConfiguration, match=r"web\.key is missing"):
        load(tmp_path / "server.toml")


def test_a_box_reaches_the_pages_over_https(empty_database: Path, tmp_path: Path) -> None:
    """The real server speaks TLS: whoever trusts the authority is content, a box gets its code, plain HTTP gets nothing."""
    port, state = free_port(), tmp_path / "state"
    make_keys(state)
    file, key = pki.issue_pages(state, state / "pages", "127.0.0.1")
    copy = tmp_path / "hub.sqlite"
    copy.write_bytes(empty_database.read_bytes())
    web = {"port": port, "certificate": str(file), "key": str(key)}
    write_settings(tmp_path / "server.toml", {"database": f"sqlite:///{copy}", "state_folder": str(state), "web": web})
    with Processes(tmp_path / "logs") as processes:
        child = processes.start("web", [SERVER, "--config", tmp_path / "server.toml", "web"])
        child.wait_until(lambda: "ready" in child.said() and answers(port))
        trusting = ssl.create_default_context(cafile=str(state / "authority" / "ca.pem"))
        with urllib.request.urlopen(f"https://127.0.0.1:{port}/sign-in", context=trusting, timeout=10) as answer:
            assert answer.headers["Strict-Transport-Security"]
            assert answer.headers["Set-Cookie"].startswith("__Host-hubkey=")
        with pytest.raises((urllib.error.URLError, OSError)):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/sign-in", timeout=10)
        _every_answer_is_guarded(f"https://127.0.0.1:{port}", trusting)
        box = NewBox(tmp_path / "box", processes, tmp_path / "clock")
        code = box.enrol(f"127.0.0.1:{port}")
        database = Database(f"sqlite:///{copy}")
        with database.read() as tx:
            config = load(tmp_path / "server.toml")
            [waiting] = enrolment.waiting(tx, SYSTEM, now=SystemClock().now(), config=config)
        database.close()
        assert spaced(waiting.code) == code
        assert code not in child.said(), "whoever reads a log could approve a box that he does not see"
        box.kill()


def _every_answer_is_guarded(address: str, trusting: ssl.SSLContext) -> None:
    """Pages, files, refusals, the event stream, a box's words: none is without what keeps browsers to this host."""
    asked = [
        ("GET", path) for path in ("/sign-in", "/", "/static/hub.css", "/static/nothing.css", "/nowhere", "/stream", "/privacy")
    ]
    for method, path in [
        *asked,
        ("POST", "/sign-in"),
        ("POST", "/stream"),
        ("POST", "/enrol"),
        ("PUT", "/sign-in"),
        ("OPTIONS", "/"),
    ]:
        headers = _answer(address, method, path, trusting)
        policy = {words.split(" ", 1)[0]: words for words in headers["Content-Security-Policy"].split("; ")}
        assert {"object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} <= set(policy.values()), path
        assert "unsafe" not in headers["Content-Security-Policy"], path
        assert headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains", path
        assert (headers["X-Content-Type-Options"], headers["Referrer-Policy"]) == ("nosniff", "same-origin"), path
        assert not [name for name in headers if name.lower().startswith("access-control-") or name.lower() == "server"], path
        for cookie in headers.get_all("Set-Cookie", []):
            name, *words = cookie.split("; ")
            assert name.startswith("__Host-"), path
            assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(words), path
            assert "Domain" not in cookie, path


def _answer(address: str, method: str, path: str, trusting: ssl.SSLContext) -> HTTPMessage:
    line = HTTPSConnection(address.removeprefix("https://"), timeout=10, context=trusting)
    line.request(method, path, headers={"Origin": "https://evil.example"})
    answer = line.getresponse()
    line.close()
    return answer.headers
