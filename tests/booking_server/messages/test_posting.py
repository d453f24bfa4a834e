# SPDX-License-Identifier: AGPL-3.0-or-later
"""What becomes of the outbox with a mail server that takes, refuses, asks to wait, lies, breaks off, or is away?"""

from __future__ import annotations

import ssl
from datetime import timedelta
from pathlib import Path

import pytest

from booking_server.accounts import service as accounts
from booking_server.actors import Actor, Role
from booking_server.broker import pki
from booking_server.messages import choosing, service
from booking_server.messages.rules import CHOSEN, Kind, Recipient
from booking_server.people import service as people
from tests.booking_server.hub import ADMINISTRATOR, HOST, NOW
from tests.booking_server.messages.conftest import Office
from tests.booking_server.messages.mail_server import MailServer, mail_server
from tests.system.processes import free_port

MINUTE = timedelta(minutes=1)
AINO, VILLE = "aino@example.org", "ville@example.org"


def put(office: Office, to: Recipient, key: str = "one", kind: Kind = Kind.TAG_LOST) -> None:
    facts = {"last_digits": "1d80", "at": NOW} if kind is Kind.TAG_LOST else {"at": NOW, "device": "x", "address": "y"}
    with office.database.write() as tx:
        service.put(tx, now=office.clock.now(), kind=kind, to=to, key=key, **facts)  # type: ignore[arg-type]


def to_both(office: Office) -> None:
    put(office, Recipient(person_id=office.hub.aino), "one")
    put(office, Recipient(person_id=office.hub.ville), "two")


def states(office: Office) -> list[tuple[str, str | None]]:
    return [(row.state, row.trouble) for row in office.rows()]


def test_what_waits_is_sent_once_in_order(office: Office, server: MailServer) -> None:
    """Over one line, to each reader under their name; looking again sends nothing more."""
    to_both(office)
    office.look()
    office.look(after=timedelta(days=1))
    assert [mail["To"] for mail in server.mails()] == [f"Aino Virtanen <{AINO}>", f"Ville Korhonen <{VILLE}>"]
    assert states(office) == [("sent", None)] * 2


def test_a_reader_is_who_they_are_when_it_is_sent(office: Office, server: MailServer) -> None:
    """An address or language that was corrected meanwhile is used; an account is written to at its person, or its name."""
    put(office, Recipient(person_id=office.hub.aino))
    with office.database.write() as tx:
        people.change_person(
            tx, HOST, now=NOW, person_id=office.hub.aino, name="Aino Laine", email="laine@example.org", language="sv",
            address="Katu 1",
        )  # fmt: skip
        staff = accounts.add_account(
            tx, ADMINISTRATOR, now=NOW, sign_in_name="anna@example.org", name="Anna", role=Role.HOST, password=None
        )
        nobody = accounts.add_account(tx, ADMINISTRATOR, now=NOW, sign_in_name="anna", name="", role=Role.HOST, password=None)
    put(office, Recipient(account_id=staff.id), "two", Kind.NEW_SIGN_IN)
    put(office, Recipient(account_id=nobody.id), "three", Kind.NEW_SIGN_IN)
    office.look()
    assert [mail["To"] for mail in server.mails()] == ["Aino Laine <laine@example.org>", "Anna <anna@example.org>"]
    assert server.mails()[0]["Subject"] == "Din nyckelbricka är spärrad"
    assert states(office)[2] == ("given_up", "no_address")


def test_what_a_reader_does_without_is_not_sent(office: Office, server: MailServer) -> None:
    """Not even what waited already when they chose; somebody of the staff hears of sign-ins all the same."""
    with office.database.write() as tx:
        made = {
            role: accounts.add_account(
                tx, ADMINISTRATOR, now=NOW, sign_in_name=f"{role}@x.org", name="", role=role, password=None, person_id=person
            )
            for role, person in ((Role.MEMBER, office.hub.aino), (Role.HOST, office.hub.ville))
        }
    put(office, Recipient(person_id=office.hub.aino))
    for number, one in enumerate(made.values()):
        put(office, Recipient(account_id=one.id), str(number), Kind.NEW_SIGN_IN)
        who = Actor.of("them", Role.MEMBER, person_id=one.person_id)
        with office.database.write() as tx:
            choosing.choose(
                tx, who, now=NOW, person_id=one.person_id or 0, wanted=set(CHOSEN) - {Kind.TAG_LOST, Kind.NEW_SIGN_IN}
            )
    office.look()
    assert [mail["To"] for mail in server.mails()] == [f"Ville Korhonen <{VILLE}>"]
    assert [row.state for row in office.rows()] == ["unwanted", "unwanted", "sent"]
    assert office.rows()[0].facts is None


@pytest.mark.parametrize(
    ("answer", "state", "trouble"),
    [("550 5.1.1 no such user", "given_up", "address_refused"), ("451 4.2.1 mailbox busy", "waiting", "later")],
)
def test_one_refused_reader_holds_up_nobody(office: Office, server: MailServer, answer: str, state: str, trouble: str) -> None:
    """No for good is given up at once, no for now is put off; the next in the row gets theirs."""
    server.recipients[AINO] = answer
    to_both(office)
    office.look()
    assert states(office) == [(state, trouble), ("sent", None)]
    assert office.rows()[0].trouble_said == answer
    server.recipients.clear()
    office.look(after=MINUTE)
    assert len(server.taken) == (2 if state == "waiting" else 1)


@pytest.mark.parametrize(("answer", "expected"), [("554 spam", "content_refused"), ("452 full", "later"), ("421 bye", "away")])
def test_what_is_said_to_the_whole_mail_counts(office: Office, server: MailServer, answer: str, expected: str) -> None:
    """A yes to reader and sender is none to the mail."""
    server.said_to_data = answer
    put(office, Recipient(person_id=office.hub.aino))
    office.look()
    assert states(office) == [("given_up" if answer.startswith("554") else "waiting", expected)]


def test_a_line_that_breaks_before_the_yes_is_no_yes(office: Office, server: MailServer) -> None:
    """Nobody knows whether that mail arrives: it is sent again, and mail programs know it by its id as the same."""
    server.cut = 1
    to_both(office)
    office.look()
    assert states(office) == [("waiting", "away"), ("waiting", "away")]
    assert (server.taken, len(server.whole)) == ([], 1)
    office.look(after=2 * MINUTE)
    assert states(office) == [("sent", None)] * 2
    again = [content for content in server.whole if f"To: Aino Virtanen <{AINO}>".encode() in content]
    assert len({line for content in again for line in content.splitlines() if line.startswith(b"Message-ID:")}) == 1
    assert len(again) == 2


def test_while_the_server_is_away_all_wait_and_it_is_asked_ever_more_rarely(office: Office, server: MailServer) -> None:
    """No message is blamed; once it is back, everything leaves by itself."""
    gone = office.with_mail(port=free_port())
    to_both(gone)
    for _ in range(3):
        gone.look()
    assert states(gone) == [("waiting", "away")] * 2
    assert [row.attempts for row in gone.rows()] == [0, 0]
    gone.look(after=timedelta(minutes=5))
    back = gone.with_mail(port=server.port)
    back.look()
    assert states(back) == [("sent", None)] * 2


def test_without_a_mail_server_all_waits_and_is_given_up_in_time(office: Office) -> None:
    """It says why; after three days it is not sent by surprise to somebody who needs it no longer."""
    none = office.with_mail(server="")
    to_both(none)
    none.look()
    assert states(none) == [("waiting", "no_way")] * 2
    none.look(after=timedelta(days=3))
    assert states(none) == [("given_up", "no_way")] * 2


def test_a_folder_gets_one_file_for_each(office: Office, tmp_path: Path) -> None:
    """As a mail program opens it; one that cannot be written is said, and nothing is lost."""
    demo = office.with_mail(server="", folder=str(tmp_path / "mail"))
    to_both(demo)
    demo.look()
    assert [file.suffix for file in (tmp_path / "mail").iterdir()] == [".eml", ".eml"]
    (tmp_path / "file").write_text("", encoding="ascii")
    full = office.with_mail(server="", folder=str(tmp_path / "file" / "mail"))
    put(full, Recipient(person_id=office.hub.aino), "three")
    full.look()
    assert states(full)[2] == ("waiting", "folder")


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A certificate for localhost of an authority that this machine trusts for now."""
    certificate, key = pki.issue_pages(tmp_path / "authority", tmp_path / "mail-pages", "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(pki.authority_folder(tmp_path / "authority") / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


@pytest.mark.parametrize("at_once", [False, True])
def test_a_password_is_said_under_a_good_certificate(
    office: Office,
    trusted: ssl.SSLContext,
    tmp_path: Path,
    at_once: bool,  # noqa: FBT001
) -> None:
    """By STARTTLS or TLS from the first byte, the password from its file: the mail is taken."""
    (tmp_path / "secret").write_text("hush hush\n", encoding="utf-8")
    with mail_server(tls=trusted, tls_at_once=at_once, password=("hub", "hush hush")) as server:
        safe = office.with_mail(
            server="localhost", port=server.port, security="tls" if at_once else "starttls", user="hub",
            password_file=str(tmp_path / "secret"),
        )  # fmt: skip
        put(safe, Recipient(person_id=office.hub.aino))
        safe.look()
        assert (states(safe), len(server.taken)) == ([("sent", None)], 1)


@pytest.mark.parametrize(
    ("host", "security", "password", "expected"),
    [
        ("127.0.0.2", "starttls", "hush", "certificate"),
        ("127.0.0.2", "tls", "hush", "certificate"),
        ("localhost", "starttls", "wrong", "sign_in"),
    ],
)
def test_a_server_that_is_not_who_it_should_be_hears_no_password(
    office: Office, trusted: ssl.SSLContext, tmp_path: Path, host: str, security: str, password: str, expected: str
) -> None:
    """A certificate for another name, or a password that is refused: all waits, with that reason."""
    (tmp_path / "secret").write_text(password, encoding="utf-8")
    at = "127.0.0.1" if host == "localhost" else host
    with mail_server(at, tls=trusted, tls_at_once=security == "tls", password=("hub", "hush")) as server:
        kept = office.with_mail(
            server=host, port=server.port, security=security, user="hub", password_file=str(tmp_path / "secret")
        )
        put(kept, Recipient(person_id=office.hub.aino))
        kept.look()
        assert (states(kept), server.whole) == ([("waiting", expected)], [])


def test_a_server_without_encryption_gets_nothing(office: Office, server: MailServer) -> None:
    """Asked for STARTTLS it has none: nothing is sent, nothing is said in the clear."""
    bare = office.with_mail(security="starttls")
    put(bare, Recipient(person_id=office.hub.aino))
    bare.look()
    assert (states(bare), server.whole) == ([("waiting", "no_tls")], [])
