# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is nothing believed that a provider's own key does not say, of this very sign-in, to this hub, now?"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey

from booking_server.accounts.openid import Begun, Claims, Provider, Refused
from booking_server.config import Federated
from tests.booking_server.hub import NOW

CLIENT, SECRET = "hub", "known to both, and long enough to sign with"
KEY, OTHER = (ECKey.generate_key("P-256", {"kid": "1", "use": "sig"}) for _ in range(2))
Change = Callable[[dict[str, Any]], object]


@dataclass(slots=True)
class Liar:
    """A provider on a loopback port that signs whatever a test wants."""

    port: int = 0
    nonce: str = ""
    change: Change = lambda _: None
    sign: Callable[[dict[str, Any]], str] = lambda claims: jwt.encode({"alg": "ES256", "kid": "1"}, claims, KEY)
    userinfo: dict[str, Any] = field(default_factory=lambda: {"sub": "s1", "groups": ["staff"]})

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answers(self, path: str) -> dict[str, Any]:
        """What it says at an address."""
        at = int(NOW.timestamp())
        claims = {"iss": self.issuer, "sub": "s1", "aud": CLIENT, "iat": at, "exp": at + 300, "nonce": self.nonce}
        claims |= {"email": "Aino@Example.org", "email_verified": True, "name": "Aino"}
        self.change(claims)
        known = {
            "/.well-known/openid-configuration": {
                "issuer": self.issuer,
                **{name: f"{self.issuer}/{name}" for name in ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")},
                "jwks_uri": f"{self.issuer}/keys",
            },
            "/keys": KeySet([KEY]).as_dict(private=False),
            "/userinfo_endpoint": self.userinfo,
        }
        if path == "/token_endpoint":
            return {"access_token": "a", "token_type": "Bearer", "id_token": self.sign(claims)}
        return dict(known[path])


@pytest.fixture
def liar() -> Iterator[Liar]:
    made = Liar()

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            content = json.dumps(made.answers(urlsplit(self.path).path)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815 - the library's name

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    made.port = server.server_address[1]
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def come(liar: Liar, tmp_path: Path) -> Callable[..., Claims]:
    """Go there and come back."""
    (tmp_path / "secret").write_text(SECRET, encoding="utf-8")

    def finish(*, anew: bool = False, after: timedelta = timedelta(), **settings: Any) -> Claims:
        provider = _provider(liar, tmp_path, **settings)
        url, begun = provider.begin(now=NOW, anew=anew)
        liar.nonce = parse_qs(urlsplit(url).query)["nonce"][0]
        return provider.finish(begun, {"state": begun.state, "code": "c"}, now=NOW + after, anew=anew)

    return finish


def _provider(liar: Liar, folder: Path, **settings: Any) -> Provider:
    secret = str(folder / "secret")
    usual = {"issuer": liar.issuer, "client_id": CLIENT, "client_secret_file": secret, "name": "Omnia"}
    return Provider(Federated(**{**usual, **settings}), "http://127.0.0.1/back")


def test_what_a_provider_vouches_for_is_read(liar: Liar, come: Callable[..., Claims]) -> None:
    """Subject, verified address in lower case, name, and the groups that stand in the user's details only."""
    assert come() == Claims(
        issuer=liar.issuer,
        subject="s1",
        email="aino@example.org",
        name="Aino",
        groups=frozenset({"staff"}),
        two_factors=False,
    )


@pytest.mark.parametrize(
    ("said", "settings", "two"),
    [
        ({"amr": ["pwd", "mfa"]}, {}, True),
        ({"amr": ["pwd"]}, {}, False),
        ({"acr": "https://refeds.org/profile/mfa"}, {"acr": ["https://refeds.org/profile/mfa"]}, True),
        ({"acr": "0"}, {"acr": ["https://refeds.org/profile/mfa"]}, False),
        ({}, {"trusted": True}, True),
    ],
)
def test_two_factors_count_where_the_provider_or_the_settings_say_so(
    liar: Liar, come: Callable[..., Claims], said: dict[str, Any], settings: dict[str, Any], two: object
) -> None:
    """An amr with "mfa", an acr that the settings name, or trusted; anything else is one factor."""
    liar.change = lambda claims: claims.update(said)
    assert come(**settings).two_factors is two


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://evil.example"},
        {"aud": "another client"},
        {"aud": ["hub", "another"], "azp": "another"},
        {"nonce": "another sign-in's"},
        {"nonce": None},
        {"at_hash": "x"},
        {"sub": None},
    ],
)
def test_a_token_of_somebody_else_is_refused(liar: Liar, come: Callable[..., Claims], change: dict[str, Any]) -> None:
    """Another issuer, client, sign-in or access token, or nobody at all: it says that it could not be checked."""

    def lie(claims: dict[str, Any]) -> None:
        claims.update(change)
        for name in [name for name, value in claims.items() if value is None]:
            del claims[name]

    liar.change = lie
    with pytest.raises(Refused, match="could not be checked"):
        come()


def test_only_the_provider_s_own_key_signs(liar: Liar, come: Callable[..., Claims]) -> None:
    """Another key, the client's secret as a key, no signature, no token: refused."""

    def unsigned(claims: dict[str, Any]) -> str:
        parts = ({"alg": "none"}, claims)
        return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."

    for sign in (
        lambda claims: jwt.encode({"alg": "ES256", "kid": "1"}, claims, OTHER),
        lambda claims: jwt.encode({"alg": "ES256", "kid": "2"}, claims, OTHER),
        lambda claims: jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET), algorithms=["HS256"]),
        unsigned,
        lambda _: "",
    ):
        liar.sign = sign
        with pytest.raises(Refused, match="could not be checked"):
            come()


def test_clocks_may_be_a_minute_apart_and_no_more(liar: Liar, come: Callable[..., Claims]) -> None:
    """A token of some seconds ahead is taken; one that is over, or is of another hour, says that the clocks differ."""
    at = int(NOW.timestamp())
    liar.change = lambda claims: claims.update(iat=at + 30)
    assert come().subject == "s1"
    for wrong in ({"exp": at - 90}, {"iat": at + 3600, "exp": at + 7200}, {"nbf": at + 3600}):
        liar.change = lambda claims, wrong=wrong: claims.update(wrong)  # type: ignore[misc]
        with pytest.raises(Refused, match="clocks of Omnia and of this hub"):
            come()


def test_the_details_of_somebody_else_are_not_mixed_in(liar: Liar, come: Callable[..., Claims]) -> None:
    """Where the user's details are about another subject than the token, nobody is signed in."""
    liar.userinfo = {"sub": "s2", "groups": ["staff"]}
    with pytest.raises(Refused, match="could not be checked"):
        come()


def test_who_is_to_prove_anew_must_have_done_so_now(liar: Liar, come: Callable[..., Claims]) -> None:
    """Without a time of the proof, or with one of before, a grave act stays closed."""
    at = int(NOW.timestamp())
    for said in ({}, {"auth_time": at - 600}):
        liar.change = lambda claims, said=said: claims.update(said)  # type: ignore[misc]
        with pytest.raises(Refused, match="did not ask who you are again"):
            come(anew=True)
    liar.change = lambda claims: claims.update(auth_time=at)
    assert come(anew=True).subject == "s1"


def test_an_answer_belongs_to_one_sign_in(liar: Liar, tmp_path: Path, come: Callable[..., Claims]) -> None:
    """Another state, none begun, one too old, another provider's word in its place: refused before anything is fetched."""
    provider = _provider(liar, tmp_path)
    begun = Begun(state="s", nonce="n", verifier="v", at=NOW.timestamp())
    for known, answer in ((None, {"state": "s", "code": "c"}), (begun, {"state": "t", "code": "c"}), (begun, {"code": "c"})):
        with pytest.raises(Refused, match="used already"):
            provider.finish(known, answer, now=NOW, anew=False)
    with pytest.raises(Refused, match="took too long"):
        come(after=timedelta(minutes=11))
    with pytest.raises(Refused, match="could not be checked"):
        provider.finish(begun, {"state": "s", "code": "c", "iss": "https://evil.example"}, now=NOW, anew=False)
