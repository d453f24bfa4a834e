# SPDX-License-Identifier: AGPL-3.0-or-later
"""Speaks with the OpenID Connect provider of the settings (Core 1.0, code flow with PKCE) and returns what it vouches for.

An ID token counts only with a signature by a key of the issuer, for this client, for this very sign-in (state, nonce), and
now. Every other outcome is one sentence for the sign-in page; what the provider said beyond it never reaches a page.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import ClaimError, ExpiredTokenError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from booking_server.config import Federated
from booking_server.errors import BookingServerError

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""With which an ID token may be signed: none that this server's own secret could make."""
CLOCKS_APART = timedelta(seconds=60)
GOOD_FOR = timedelta(minutes=10)
_TIMEOUT_SECONDS = (5, 10)
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class Refused(BookingServerError):
    """Nobody is signed in by the provider; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A sign-in under way, kept in the browser's own signed session until it comes back, once."""

    state: str
    nonce: str
    verifier: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What the provider vouches for. `email` is empty unless verified there; `two_factors` if it says that it asked for two."""

    issuer: str
    subject: str
    email: str
    name: str
    groups: frozenset[str]
    two_factors: bool


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider, asked anew at each sign-in: what it changes, keys above all, holds at once."""

    settings: Federated
    back: str

    def begin(self, *, now: datetime, anew: bool) -> tuple[str, Begun]:
        """Return where to send the browser, and what to keep. `anew`: a proof of before does not do. Raise Refused."""
        begun = Begun(
            state=secrets.token_urlsafe(24),
            nonce=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(48),
            at=now.timestamp(),
        )
        more = {"prompt": "login", "max_age": "0"} if anew else {}
        url, _ = self._client().create_authorization_url(
            self._metadata()["authorization_endpoint"],
            state=begun.state,
            nonce=begun.nonce,
            code_verifier=begun.verifier,
            **more,
        )
        return str(url), begun

    def finish(self, begun: Begun | None, answer: Mapping[str, str], *, now: datetime, anew: bool) -> Claims:
        """Return what the provider vouches for, by what the browser brought back from it. Raise Refused."""
        begun = self._answered(begun, answer, now)
        metadata = self._metadata()
        if answer.get("iss", metadata["issuer"]) != metadata["issuer"]:
            raise self._unfit()
        client = self._client()
        try:
            token = client.fetch_token(
                metadata["token_endpoint"],
                grant_type="authorization_code",
                code=answer.get("code", ""),
                code_verifier=begun.verifier,
                allow_redirects=False,
            )
        except OAuthError as problem:
            raise (_again() if problem.error == "invalid_grant" else self._not_known()) from None
        except (requests.RequestException, ValueError):
            raise self._away() from None
        said = self._id_token(token, metadata, begun.nonce, now)
        if anew and not self._is_fresh(said, begun):
            raise Refused("{name} did not ask who you are again, so nothing was confirmed. Try again.", name=self.settings.name)
        return self._claims({**self._userinfo(client, metadata, said), **said})

    def _answered(self, begun: Begun | None, answer: Mapping[str, str], now: datetime) -> Begun:
        """Return what was begun, if this is the answer to it and has a code. Raise Refused."""
        if begun is None or not secrets.compare_digest(begun.state.encode(), answer.get("state", "").encode()):
            raise _again()
        if not 0 <= now.timestamp() - begun.at < GOOD_FOR.total_seconds():
            raise _again()
        if answer.get("error") == "access_denied":
            raise Refused(
                "{name} was not allowed to tell this hub who you are, so nobody is signed in.", name=self.settings.name
            )
        if "error" in answer or "code" not in answer:
            raise self._unfit()
        return begun

    def _client(self) -> Any:
        try:
            secret = Path(self.settings.client_secret_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise Refused(
                "The hub's own key for {name} cannot be read. The hub's administrator looks at client_secret_file.",
                name=self.settings.name,
            ) from None
        return OAuth2Session(  # type: ignore[no-untyped-call]
            self.settings.client_id,
            secret,
            token_endpoint_auth_method=self.settings.client_auth,
            scope=" ".join(dict.fromkeys(["openid", *self.settings.scopes])),
            redirect_uri=self.back,
            code_challenge_method="S256",
            default_timeout=_TIMEOUT_SECONDS,
        )

    def _metadata(self) -> dict[str, Any]:
        """Return what the issuer says of itself (OpenID Connect Discovery 1.0). Raise Refused."""
        found = self._read(f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration")
        named = [str(found.get(name, "")) for name in _ENDPOINTS]
        scheme = self.settings.issuer.partition("//")[0]
        if found.get("issuer") != self.settings.issuer or not all(one.startswith(("https://", f"{scheme}//")) for one in named):
            raise Refused(
                "{name} calls itself something else than the settings do. The hub's administrator looks at issuer.",
                name=self.settings.name,
            )
        return found

    def _read(self, url: str, client: Any = None) -> dict[str, Any]:
        try:
            answer = (client or requests).get(url, timeout=_TIMEOUT_SECONDS, allow_redirects=False)
            answer.raise_for_status()
            found = answer.json()
        except (requests.RequestException, OAuthError, ValueError):
            raise self._away() from None
        if answer.status_code != 200 or not isinstance(found, dict):
            raise self._away()
        return found

    def _id_token(self, token: Mapping[str, Any], metadata: Mapping[str, Any], nonce: str, now: datetime) -> dict[str, Any]:
        keys = self._read(metadata["jwks_uri"]).get("keys")
        try:
            signed = KeySet.import_key_set({"keys": [one for one in keys or [] if _signs(one)]})
            read = jwt.decode(
                token["id_token"], key=signed, registry=JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
            )
            claims = CodeIDToken(
                read.claims,
                read.header,
                {
                    "iss": {"essential": True, "value": self.settings.issuer},
                    "aud": {"essential": True, "value": self.settings.client_id},
                },
                {"nonce": nonce, "client_id": self.settings.client_id, "access_token": token.get("access_token")},
            )
            claims.validate(  # type: ignore[no-untyped-call]
                now=int(now.timestamp()), leeway=int(CLOCKS_APART.total_seconds())
            )
        except (ExpiredTokenError, ClaimError) as problem:
            if isinstance(problem, ExpiredTokenError) or getattr(problem, "claim", "") in ("iat", "nbf", "exp"):
                raise Refused(
                    "The clocks of {name} and of this hub are not the same. The hub's administrator looks at the hub's clock.",
                    name=self.settings.name,
                ) from None
            raise self._unfit() from None
        except (JoseError, KeyError, TypeError, ValueError, AttributeError):
            raise self._unfit() from None
        return dict(claims)

    def _is_fresh(self, said: Mapping[str, Any], begun: Begun) -> bool:
        proved = said.get("auth_time")
        return isinstance(proved, int | float) and proved >= begun.at - CLOCKS_APART.total_seconds()

    def _userinfo(self, client: Any, metadata: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
        """Return what more there is to know, where the provider tells it apart. Raise Refused if it is about somebody else."""
        if not metadata.get("userinfo_endpoint"):
            return {}
        found = self._read(str(metadata["userinfo_endpoint"]), client)
        if found.get("sub") != said["sub"]:
            raise self._unfit()
        return found

    def _away(self) -> Refused:
        return Refused("{name} cannot be reached now. Try again later, or sign in another way.", name=self.settings.name)

    def _unfit(self) -> Refused:
        return Refused(
            "What {name} answered could not be checked, so nobody is signed in. Try again, and tell the hub's administrator.",
            name=self.settings.name,
        )

    def _not_known(self) -> Refused:
        return Refused(
            "{name} does not take this hub for the one it knows. The hub's administrator looks at client_id and"
            " client_secret_file.",
            name=self.settings.name,
        )

    def _claims(self, said: Mapping[str, Any]) -> Claims:
        groups, amr = said.get(self.settings.groups_claim), said.get("amr") or []
        verified = said.get("email_verified") is True
        return Claims(
            issuer=self.settings.issuer,
            subject=str(said["sub"]),
            email=str(said.get("email") or "").strip().lower() if verified else "",
            name=str(said.get("name") or "")[:200],
            groups=frozenset(str(one) for one in ([groups] if isinstance(groups, str) else groups or [])),
            two_factors=self.settings.trusted or "mfa" in amr or said.get("acr") in self.settings.acr,
        )


def _again() -> Refused:
    return Refused("This sign-in was used already, took too long, or began in another browser. Begin again.")


def _signs(key: Mapping[str, Any]) -> bool:
    """A provider may have keys for other things too, of kinds that are not known here."""
    return key.get("use", "sig") == "sig" and key.get("kty") in ("RSA", "EC", "OKP")
