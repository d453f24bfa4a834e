# SPDX-License-Identifier: AGPL-3.0-or-later
"""Asks the five questions and checks each answer as it is given; a bad one is said in one line and asked again.

An answer that came as an option is not asked for; a bad one ends it, and so does a missing one where nobody may be asked.
Nothing is changed here, whatever the answers.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, cast

import click

from booking_server.clock import Clock
from booking_server.config import Mail
from booking_server.errors import Invalid
from booking_server.setting_up import certificates, checks
from booking_server.setting_up.answers import PAGES_BEHIND_CADDY, Address, Administrator, Answers, Certificate
from booking_server.setting_up.asking import Question, answered, first_line, note, refused
from booking_server.setting_up.mail_check import try_mail

Security = Literal["starttls", "tls", "none"]
_PORTS: dict[str, int] = {"starttls": 587, "tls": 465, "none": 25}
_NOT_PUBLIC = ("local", "lan", "internal", "home", "localdomain", "test", "arpa")
_CERTIFICATES = """\
3. The certificate by which browsers know the pages:
     acme       from Let's Encrypt, fetched and renewed by Caddy; the name must be reachable from the internet (ports 80, 443)
     files      your own, in files
     authority  of the hub's own authority: for a trial or a closed network; browsers warn until they are given it"""

_NONE = "none"
_NAME = Question(label="1. The hub's name, as pages and mails call it", option="--name")
_ADDRESS = Question(label="2. The address by which people and doors reach it (hub.example.org)", option="--address")
_KIND = Question(label="   Which one", option="--certificate")
_FILE = Question(label="   File of the certificate, full chain (PEM)", option="--certificate-file")
_KEY = Question(label="   File of its private key (PEM)", option="--key-file")
_ADMINISTRATOR = Question(label="4. The first administrator signs in as (an e-mail address)", option="--administrator")
_PASSWORD = Question(label="   Password", option="--password-file", hidden=True, twice=True)
_MAIL = Question(label="5. The server that sends the hub's mail (none: not yet)", option="--mail-server", default=_NONE)
_SECURITY = Question(label="   Encrypted by (starttls, tls, none)", option="--mail-security")
_USER = Question(label="   User name there", option="--mail-user", default=_NONE)
_MAIL_PASSWORD = Question(label="   Password there", option="--mail-password-file", hidden=True)
_SENDER = Question(label="   Sender of the mails", option="--mail-sender")


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Answers that came as options; None is asked for."""

    name: str | None = None
    address: str | None = None
    certificate: str | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    administrator: str | None = None
    password_file: Path | None = None
    mail_server: str | None = None
    mail_security: str | None = None
    mail_user: str | None = None
    mail_password_file: Path | None = None
    mail_sender: str | None = None
    no_mail: bool = False
    broker_port: int = 8883
    may_ask: bool = True

    @property
    def is_empty(self) -> bool:
        return replace(self, may_ask=True, broker_port=8883) == Given()


def ask(given: Given, *, clock: Clock) -> Answers:
    """Return all five answers. Raise Invalid for an option that cannot be taken; click.Abort where somebody breaks off."""
    name = answered(_NAME, checks.hub_name, given.name, may_ask=given.may_ask)
    address = answered(_ADDRESS, _address(given), given.address, may_ask=given.may_ask)
    for warning in checks.warnings_of(address):
        note(warning)
    certificate, files = _certificate(given, address, clock.now())
    administrator = ask_administrator(given)
    mail, mail_password = _mail(given, name, address, administrator, clock)
    return Answers(
        name=name,
        address=address,
        certificate=certificate,
        files=files,
        administrator=administrator,
        mail=mail,
        mail_password=mail_password,
        broker_port=given.broker_port,
    )


def ask_administrator(given: Given) -> Administrator:
    """Return who signs in first. The password is typed twice and not shown. Raise Invalid; click.Abort."""
    name = answered(_ADMINISTRATOR, checks.administrator_name, given.administrator, may_ask=given.may_ask)
    password = answered(_PASSWORD, checks.password, first_line(given.password_file), may_ask=given.may_ask)
    return Administrator(name, password)


def _address(given: Given) -> Callable[[str], Address]:
    def check(text: str) -> Address:
        found = checks.address(text)
        if found.port == given.broker_port:
            raise Invalid("address", "Port {port} is the doors'; choose another for the pages.", port=found.port)
        checks.port_is_free(given.broker_port, why="for the doors")
        return found

    return check


def _certificate(given: Given, address: Address, now: datetime) -> tuple[Certificate, tuple[Path, Path] | None]:
    def check(text: str) -> Certificate:
        try:
            kind = Certificate(text.strip().lower())
        except ValueError:
            raise Invalid("certificate", "Choose one of: acme, files, authority.") from None
        _check_kind(kind, address)
        return kind

    chosen = given.certificate or (Certificate.FILES.value if given.certificate_file else None)
    if chosen is None and given.may_ask:
        click.echo(_CERTIFICATES)
    kind = answered(_KIND, check, chosen, may_ask=given.may_ask)
    if kind is not Certificate.FILES:
        return kind, None
    file, chain = answered(_FILE, _chain(address, now), _text(given.certificate_file), may_ask=given.may_ask)
    for warning in certificates.warnings_of(chain, host=address.host, now=now):
        note(warning)
    key = answered(_KEY, lambda text: _key(text, chain[0]), _text(given.key_file), may_ask=given.may_ask)
    return kind, (file, key)


def _check_kind(kind: Certificate, address: Address) -> None:
    if kind is not Certificate.ACME:
        checks.port_is_free(address.port, why="for the pages")
        return
    if not address.is_name or "." not in address.host or address.host.rpartition(".")[2] in _NOT_PUBLIC:
        raise Invalid(
            "certificate",
            "Let's Encrypt knows only names of the public internet, and {host} is none: choose files or authority.",
            host=address.host,
        )
    if shutil.which("caddy") is None:
        raise Invalid(
            "certificate", "Caddy is not installed (apt-get install caddy): install it, or choose files or authority."
        )
    checks.port_is_free(PAGES_BEHIND_CADDY, why="for the pages behind Caddy")
    for port in {80, address.port}:
        checks.port_is_free(port, why="for Caddy", unless="caddy")


def _chain(address: Address, now: datetime) -> Callable[[str], tuple[Path, list[Any]]]:
    def check(text: str) -> tuple[Path, list[Any]]:
        file = _file(text)
        return file, certificates.read_certificate(file, host=address.host, now=now)

    return check


def _key(text: str, certificate: Any) -> Path:
    certificates.check_key(_file(text), certificate)
    return _file(text)


def _file(text: str) -> Path:
    return Path(text.strip()).expanduser().resolve()


def _mail(given: Given, hub: str, address: Address, administrator: Administrator, clock: Clock) -> tuple[Mail | None, str]:
    """One answer out of several: what does not work together is asked for again as a whole."""
    before = None
    while not given.no_mail:
        mail, password = _mail_settings(given, address, before)
        if mail is None:
            break
        to = administrator.sign_in_name if "@" in administrator.sign_in_name else None
        click.echo(f"   Trying {mail.server} ...")
        try:
            try_mail(mail, password, hub=hub, origin=address.url, to=to, clock=clock)
        except Invalid as error:
            if given.mail_server is not None:
                raise
            refused(error)
            before = mail
            continue
        click.echo(f"   A test mail is on its way to {to}." if to else "   The mail server lets the hub in.")
        return mail, password
    return None, ""


def _mail_settings(given: Given, address: Address, before: Mail | None) -> tuple[Mail | None, str]:
    """Ask for all of it; what was answered `before` need not be typed again."""

    def named(text: str) -> tuple[str, int | None] | None:
        return checks.mail_server(text) if _some(text) else None

    question = _MAIL if before is None else replace(_MAIL, default=f"{before.server}:{before.port}")
    server = answered(question, named, given.mail_server, may_ask=given.may_ask)
    if server is None:
        return None, ""
    host, port = server
    usual = next((name for name, known in _PORTS.items() if known == port), before.security if before else "starttls")
    security = answered(replace(_SECURITY, default=usual), _security, given.mail_security, may_ask=given.may_ask)
    question = replace(_USER, default=before.user) if before is not None and before.user else _USER
    user = answered(question, _some, given.mail_user, may_ask=given.may_ask)
    password = ""
    if user:
        password = answered(_MAIL_PASSWORD, str, first_line(given.mail_password_file), may_ask=given.may_ask)
    likely = before.sender if before is not None else user if "@" in user else f"hubkey@{address.host}"
    sender = answered(replace(_SENDER, default=likely), checks.mail_address, given.mail_sender, may_ask=given.may_ask)
    return Mail(server=host, port=port or _PORTS[security], security=security, user=user, sender=sender), password


def _some(text: str) -> str:
    """The answer, or nothing for "none"."""
    return "" if text.strip().lower() == _NONE else text.strip()


def _security(text: str) -> Security:
    word = text.strip().lower()
    if word not in _PORTS:
        raise Invalid("mail", "Choose one of: starttls, tls, none.")
    return cast(Security, word)


def _text(file: Path | None) -> str | None:
    return None if file is None else str(file)
