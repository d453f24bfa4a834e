# SPDX-License-Identifier: AGPL-3.0-or-later
"""The server's settings: one TOML file, every key known, every mistake named with its file, key and what is allowed."""

from __future__ import annotations

import os
import re
import tomllib
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from access_contract.explaining import explained
from booking_server.clock import Clock, SystemClock, TurnedClock

_SENDER = re.compile(r"[^<>@\s]+@[^<>@\s]+|[^<>\r\n\0]* ?<[^<>@\s]+@[^<>@\s]+>")
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class BadConfiguration(ValueError):
    """A settings file that cannot be used; the message names file, key, value and what is allowed."""


class Web(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the pages are served. `secure_cookies` is off only for a demo without HTTPS.

    Beyond this machine only over HTTPS: with `certificate` and `key` (PEM files, both or neither), else with a certificate of
    the hub's own authority for `host` and `known_as`. `address` is what people type, as mails and passkeys need it; without it
    it is made of `known_as` or `host` and `port`.
    """

    host: str = "127.0.0.1"
    port: Port = 8080
    address: Annotated[str, msgspec.Meta(pattern="^(https?://[^/ ]+)?$")] = ""
    known_as: str = ""
    certificate: str = ""
    key: str = ""
    secure_cookies: bool = True

    @property
    def is_https(self) -> bool:
        """True unless a web server with HTTPS on this machine is to stand before it."""
        return bool(self.certificate) or not is_loopback(self.host)

    @property
    def origin(self) -> str:
        """Return the pages' address as people type it, without a slash at its end."""
        scheme = "https" if self.is_https else "http"
        return self.address or f"{scheme}://{self.known_as or self.host}:{self.port}"


class Broker(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the broker listens, what doors call it (`host`, if empty), and the name of this server's own certificate.

    A server's name begins with "server-", as no door's does: a door of the same name would have the server's rights.
    """

    host: str = "127.0.0.1"
    known_as: str = ""
    port: Port = 8883
    identity: Annotated[str, msgspec.Meta(pattern="^server-[a-z0-9-]{1,24}$")] = "server-doors-1"


class Seller(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who sends the invoices, as Finnish VAT law wants it on each. `mails_invoices` is off where others send them."""

    name: str = ""
    address: str = ""
    business_id: str = ""
    iban: str = ""
    payment_term_days: Annotated[int, msgspec.Meta(ge=0, le=90)] = 14
    mails_invoices: bool = True


class Mail(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How mail leaves: by the SMTP `server`, or as one file each into `folder` (a demo). With neither, all waits, visibly.

    `security` "none" is allowed only towards a mail server on this machine. `sender` is an address, with a name before it in
    <> or without; with none the hub's name stands there.
    """

    server: str = ""
    port: Port = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password_file: str = ""
    sender: str = ""
    folder: str = ""


class Backup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where backups go. `recipient` is the public half (age1...) of a key that is kept elsewhere: nobody here can read them."""

    recipient: str = ""
    folder: str = ""
    command: list[str] = []
    keep: Annotated[int, msgspec.Meta(ge=1, le=400)] = 30


class Metrics(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ports on which each process tells a Prometheus its figures, on this machine only; 0 for none."""

    host: str = "127.0.0.1"
    web: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0
    doors: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0
    mail: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0


class Federated(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An OpenID Connect provider whose people may sign in, as a school's accounts; none without `issuer`.

    `name` stands on the button. `roles` names, for a group of theirs, a role, and where: "host", "caretaker@Espoo" (a site's
    name); an administrator comes so only if it says "administrator". `members` says how people of the hub are known by their
    accounts there: by a verified e-mail address, or only once they linked it themselves. `acr` are the classes that count as
    two factors, beside an `amr` with "mfa"; with `trusted` every sign-in there does.
    """

    issuer: str = ""
    client_id: str = ""
    client_secret_file: str = ""
    client_auth: Literal["client_secret_basic", "client_secret_post"] = "client_secret_basic"
    name: Annotated[str, msgspec.Meta(max_length=60)] = ""
    scopes: tuple[Annotated[str, msgspec.Meta(pattern=r"^[!#-\[\]-~]+$")], ...] = ("email", "profile")
    groups_claim: str = "groups"
    roles: dict[str, str] = {}
    members: Literal["email", "linked"] = "email"
    acr: list[str] = []
    trusted: bool = False

    def role_of(self, group: str) -> tuple[str, str]:
        """Return the role that a group has, and the site's name; empty for the whole hub."""
        role, _, site = self.roles[group].partition("@")
        return role, site


class SignIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`second_factor` says whose password alone is not enough; a passkey is two factors in one.

    With "staff", who of them signs in by a password alone may only set up a passkey or the codes of an app. A demo asks nobody.
    """

    second_factor: Literal["staff", "nobody"] = "staff"
    federated: Federated = Federated()


FEDERATED_ROLES = ("administrator", "host", "billing", "caretaker", "reports")
"""What a group elsewhere may become here. Who is a member is known by the person, not by a group."""

Days = Annotated[int, msgspec.Meta(ge=1, le=3660)]
Text = Annotated[str, msgspec.Meta(max_length=2000)]


class Said(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the hub itself says of something, in the languages that it has."""

    fi: Text = ""
    sv: Text = ""
    en: Text = ""

    def in_language(self, language: str) -> str:
        """Return it in this language, else in another; empty if it is said in none."""
        said = {"fi": self.fi, "sv": self.sv, "en": self.en}
        return said.get(language) or next((text for text in said.values() if text), "")


class Privacy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who answers for people's data, on what ground, and for how long what identifies is kept.

    The notices are printed from this. The grounds are the hub's own sentences: the software knows none. `controller` and
    `address` are the seller's where they are empty. A door's log has days of its own, set on its page.
    """

    controller: str = ""
    address: str = ""
    email: str = ""
    data_protection_officer: str = ""
    authority: str = "Tietosuojavaltuutetun toimisto, tietosuoja.fi"
    legal_basis: Said = Said()
    monitoring_basis: Said = Said()
    audit_days: Days = 365
    acts_days: Days = 2190
    sign_in_days: Days = 90
    messages_days: Days = 30
    boxes_days: Days = 30
    contest_days: Days = 90
    ended_days: Days = 365
    books_years: Annotated[int, msgspec.Meta(ge=1, le=30)] = 6


class Roster(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file that `booking-server roster` reads each night; none without `file`. docs/import.md says what stands in it.

    Rows without a place get `access` (as in its column), without an address `address`; names of places are looked for at
    `site`. Would more than `end_percent` of those who have access by it lose it, or is the file older than `max_age_days`,
    nothing is done.
    """

    file: str = ""
    site: str = ""
    access: str = ""
    address: str = ""
    end_percent: Annotated[int, msgspec.Meta(ge=0, le=100)] = 20
    max_age_days: Annotated[int, msgspec.Meta(ge=1, le=400)] = 3


class Simulated(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parts that start only with demo = true: a file that holds the seconds by which the clock is turned."""

    clock: str | None = None


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings. `database` is an SQLAlchemy URL; `state_folder` holds certificates and keys, outside the database.

    `name` is the hub's, as pages and mails call it. `help_at_doors` is what somebody at a closed door is to do, as signs and
    the page behind their code say it.
    """

    database: str
    state_folder: str
    demo: bool = False
    name: Annotated[str, msgspec.Meta(max_length=80)] = "Hubkey"
    time_zone: str = "Europe/Helsinki"
    language: Literal["fi", "en"] = "fi"
    help_at_doors: Annotated[str, msgspec.Meta(max_length=200)] = ""
    web: Web = Web()
    broker: Broker = Broker()
    seller: Seller = Seller()
    mail: Mail = Mail()
    backup: Backup = Backup()
    metrics: Metrics = Metrics()
    sign_in: SignIn = SignIn()
    privacy: Privacy = Privacy()
    roster: Roster = Roster()
    simulated: Simulated = Simulated()

    @property
    def folder(self) -> Path:
        return Path(self.state_folder)


def load(path: Path) -> Config:
    """Return the settings in `path`. Raise BadConfiguration, also where whoever asks could not write what the hub reads."""
    config = read(path)
    _check_owner(path, config)
    return config


def read(path: Path) -> Config:
    """Return the settings in `path` for somebody who writes nothing as who they are. Raise BadConfiguration."""
    written = _read(path)
    try:
        config = msgspec.convert(written, Config)
    except msgspec.ValidationError as error:
        raise BadConfiguration(f"{path}: {explained(str(error), written, Config)}") from None
    _check_values(path, config)
    _check_demo(path, config)
    return config


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadConfiguration(f"{path}: there are no settings yet; make them with: sudo booking-server init") from None
    except OSError as error:
        raise BadConfiguration(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise BadConfiguration(f"{path}: is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise BadConfiguration(f"{path}: is not TOML: {error}") from None


def _check_values(path: Path, config: Config) -> None:
    if not _is_database(config.database):
        raise BadConfiguration(
            f"{path}: database is not an address of one; allowed are: sqlite:////folder/hub.sqlite or"
            " postgresql+psycopg://user:password@host/name"
        )
    if bool(config.web.certificate) != bool(config.web.key):
        missing = "key" if config.web.certificate else "certificate"
        raise BadConfiguration(f"{path}: web.{missing} is missing; certificate and key are set both, or neither")
    _check_metrics(path, config)
    _check_mail(path, config.mail)
    _check_federated(path, config)
    _check_privacy(path, config.privacy)
    if not config.folder.is_absolute():
        raise BadConfiguration(f"{path}: state_folder is {config.state_folder!r}; allowed is: a whole path, beginning with /")
    _check_backup(path, config.backup)
    if config.roster.file and not Path(config.roster.file).is_absolute():
        raise BadConfiguration(f"{path}: roster.file is {config.roster.file!r}; allowed is: a whole path, beginning with /")
    if not _is_zone(config.time_zone):
        raise BadConfiguration(f"{path}: time_zone is {config.time_zone!r}; allowed are names like Europe/Helsinki")


def _check_metrics(path: Path, config: Config) -> None:
    """Figures are told to whoever asks, so only this machine may; two processes cannot share a port."""
    if not is_loopback(config.metrics.host):
        raise BadConfiguration(
            f"{path}: metrics.host is {config.metrics.host!r}; allowed is an address of this machine alone (127.0.0.1 or ::1)"
        )
    taken = {config.web.port: "web.port", config.broker.port: "broker.port"}
    for key, port in (("web", config.metrics.web), ("doors", config.metrics.doors), ("mail", config.metrics.mail)):
        if port in taken:
            raise BadConfiguration(f"{path}: metrics.{key} is {port}, which is {taken[port]} too; choose another port, or 0")
        if port:
            taken[port] = f"metrics.{key}"


def _check_mail(path: Path, mail: Mail) -> None:
    if mail.server and mail.folder:
        raise BadConfiguration(f"{path}: mail.server and mail.folder are both set; allowed is one of the two, or neither")
    if mail.sender and not _SENDER.fullmatch(mail.sender):
        raise BadConfiguration(f"{path}: mail.sender is {mail.sender!r}; allowed is an address like hub@example.org")
    if not mail.server:
        return
    if not mail.sender:
        raise BadConfiguration(f"{path}: mail.sender is missing; give the address that mails come from, like hub@example.org")
    if mail.security == "none" and not is_loopback(mail.server):
        raise BadConfiguration(
            f"{path}: mail.security is 'none' with the server {mail.server!r}; beyond this machine allowed are: starttls, tls"
        )
    if bool(mail.user) != bool(mail.password_file):
        missing = "password_file" if mail.user else "user"
        raise BadConfiguration(f"{path}: mail.{missing} is missing; user and password_file are set both, or neither")


def _check_federated(path: Path, config: Config) -> None:
    """A provider over plain HTTP could be anybody; an unknown role would be given to nobody, silently."""
    federated, where = config.sign_in.federated, f"{path}: sign_in.federated"
    if not federated.issuer:
        return
    found = urlsplit(federated.issuer)
    plain = found.scheme == "http" and config.demo and is_loopback(found.hostname or "")
    if not (found.scheme == "https" or plain) or not found.hostname or found.query or found.fragment:
        raise BadConfiguration(
            f"{where}.issuer is {federated.issuer!r}; allowed is the address that the provider calls itself by, with https://"
        )
    for key in ("client_id", "client_secret_file", "name"):
        if not getattr(federated, key):
            raise BadConfiguration(f"{where}.{key} is missing; issuer, client_id, client_secret_file and name are set together")
    for group, held in federated.roles.items():
        role, site = federated.role_of(group)
        if role not in FEDERATED_ROLES or (not site and "@" in held):
            raise BadConfiguration(
                f"{where}.roles: {group!r} is {held!r}; allowed are {', '.join(FEDERATED_ROLES)},"
                " alone or with @ and the name of a site"
            )


def _check_privacy(path: Path, privacy: Privacy) -> None:
    if privacy.email and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s.]+", privacy.email):
        raise BadConfiguration(f"{path}: privacy.email is {privacy.email!r}; allowed is: an address like privacy@example.org")
    if privacy.acts_days < privacy.audit_days:
        raise BadConfiguration(
            f"{path}: privacy.acts_days is {privacy.acts_days}; allowed is: at least privacy.audit_days ({privacy.audit_days}),"
            " for with all acts the looks go"
        )


def _check_backup(path: Path, backup: Backup) -> None:
    if backup.folder and not Path(backup.folder).is_absolute():
        raise BadConfiguration(f"{path}: backup.folder is {backup.folder!r}; allowed is: a whole path, beginning with /")
    if backup.recipient.startswith("AGE-SECRET-KEY-"):
        raise BadConfiguration(
            f"{path}: backup.recipient is a secret key, which must not be on this machine; its public half (age1...) belongs"
            " here"
        )
    if backup.recipient and not re.fullmatch("age1[0-9a-z]{58}", backup.recipient):
        raise BadConfiguration(
            f"{path}: backup.recipient is {backup.recipient!r}; allowed is the public half of a key of age (age1 and 58 more)"
        )


def _is_database(url: str) -> bool:
    """Its value is never said again: it holds a password."""
    try:
        return make_url(url).drivername in ("sqlite", "postgresql", "postgresql+psycopg")
    except ArgumentError:
        return False


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _check_demo(path: Path, config: Config) -> None:
    if config.simulated.clock is not None and not config.demo:
        raise BadConfiguration(f"{path}: simulated.clock is allowed only with demo = true")
    for key, host in (("web.host", config.web.host), ("broker.host", config.broker.host)):
        if config.demo and not is_loopback(host):
            raise BadConfiguration(
                f"{path}: {key} is {host!r}; with demo = true only a loopback address is allowed (127.0.0.1)"
            )


def _check_owner(path: Path, config: Config) -> None:
    """What root writes here the server's own user could not read: the hub would fail at its next start, not now."""
    if os.geteuid() != 0 or not config.folder.exists() or config.folder.stat().st_uid == 0:
        return
    owner = config.folder.owner()
    raise BadConfiguration(
        f"{path}: state_folder belongs to {owner!r}; run this as that user: sudo -u {owner} booking-server ..."
    )


def is_loopback(host: str) -> bool:
    """True if what listens there is reached from this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def clock_of(config: Config) -> Clock:
    """Return the clock that these settings ask for."""
    if config.simulated.clock is None:
        return SystemClock()
    return TurnedClock(Path(config.simulated.clock))
