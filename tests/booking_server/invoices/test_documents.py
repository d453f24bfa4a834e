# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does the paper say all that the invoice says, in both languages, and the same for ever?"""

from __future__ import annotations

import io
import re
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from pypdf import PdfReader
from sqlalchemy import func, select

from booking_server.actors import Actor, NotAllowed, Role
from booking_server.db import Database
from booking_server.errors import Invalid, NotFound
from booking_server.invoices.pdf import pdf_of, rendered
from booking_server.invoices.service import Invoice
from booking_server.invoices.tables import invoice_documents
from booking_server.invoices.text import text_of
from tests.booking_server.invoices.office import BEGIN, BIRGIT, MARCH, MARCH_OVER, Office

ONE_SPACE = re.compile(r"\s+")
SAYS = {
    "fi": ["Lasku", "1001", "Omnia Oy", "Y-tunnus 2077474-0", "ALV-tunniste FI20774740", "Aino Virtanen", "maaliskuu 2026",
           "1.4.2026", "15.4.2026", "FI21 1234 5600 0007 85", "10016", "48,60", "12,39", "60,99", "25,5 %"],
    "en": ["Invoice", "1001", "Omnia Oy", "Business ID 2077474-0", "VAT ID FI20774740", "Aino Virtanen", "March 2026",
           "1 Apr 2026", "15 Apr 2026", "FI21 1234 5600 0007 85", "10016", "48.60", "12.39", "60.99", "25.5 %"],
}  # fmt: skip
LINES = {
    "fi": [("2.3.2026", "sisäänkäynti", "4,20"), ("2.3.2026", "varattu tunti", "36,00"), ("31.3.2026", "sisäänkäynti", "4,20")],
    "en": [("2 Mar 2026", "entry", "4.20"), ("2 Mar 2026", "booked hour", "36.00"), ("31 Mar 2026", "entry", "4.20")],
}


@pytest.fixture
def issued(office: Office) -> Invoice:
    """Aino's invoice of March."""
    office.use_march()
    return office.close(MARCH)[0]


def _words_of(pdf: bytes) -> str:
    return ONE_SPACE.sub(" ", " ".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages))


def _stands(words: str, *parts: str) -> bool:
    """Whether the parts stand in the text in this order, close together."""
    return re.search(".{0,90}?".join(map(re.escape, parts)), words) is not None


@pytest.mark.parametrize("language", ["fi", "en"])
def test_text_and_pdf_say_everything_in_both_languages(issued: Invoice, language: str) -> None:
    """Who, whom, when, how to pay, each rate's VAT, and every line with its day, unit, amount and what it rests on."""
    text = ONE_SPACE.sub(" ", text_of(issued.content, language))
    pdf = _words_of(rendered(issued.content, language))
    for said in (text, pdf):
        assert [word for word in SAYS[language] if word not in said] == []
        assert [line for line in LINES[language] if not _stands(said, *line)] == []
        for line in issued.content["lines"]:
            assert all(f" {cause.split(':')[1]}" in said for cause in line["cause"])
            assert line["space"] in said


def test_the_same_bytes_come_back(office: Office, issued: Invoice, database_url: str) -> None:
    """Three ask for a PDF that nobody made before, at once: all get the same bytes, one is kept, and it stays."""
    together, got = Barrier(3), list[bytes]()

    def ask() -> None:
        database = Database(database_url)
        together.wait(10)
        got.append(pdf_of(database, BIRGIT, invoice_id=issued.id, language="fi"))
        database.close()

    threads = [Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(got) == 3
    assert {*got, pdf_of(office.desk.database, BIRGIT, invoice_id=issued.id, language="fi")} == {got[0]}
    with office.desk.database.read() as tx:
        assert tx.execute(select(func.count()).select_from(invoice_documents)).scalar() == 1


def test_the_pdf_can_be_archived_and_read_aloud(issued: Invoice) -> None:
    """It is PDF/A-3 with tags, a title and its language, and carries its fonts with it."""
    reader = PdfReader(io.BytesIO(rendered(issued.content, "fi")))
    catalog: Any = reader.trailer["/Root"]
    assert catalog["/MarkInfo"]["/Marked"]
    assert catalog["/Lang"] == "fi"
    assert "/StructTreeRoot" in catalog
    metadata = catalog["/Metadata"].get_data().decode()
    assert re.search(r"part>3<.*conformance>A<", metadata, re.DOTALL)
    assert reader.metadata is not None
    assert reader.metadata.title == "Lasku 1001"


def test_many_lines_go_over_several_pages_each_with_its_number(office: Office) -> None:
    """Sixty entries: no line is lost at a page's end, and each page says which it is of how many."""
    for number in range(60):
        office.tap("studio", office.aino, BEGIN + timedelta(hours=10 * number))
    office.clock.at = MARCH_OVER
    office.say_all_sent(MARCH_OVER)
    [made] = office.close(MARCH)
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(rendered(made.content, "en"))).pages]
    assert len(pages) > 1
    assert all(f"page {number} / {len(pages)}" in ONE_SPACE.sub(" ", page) for number, page in enumerate(pages, start=1))
    said = ONE_SPACE.sub(" ", " ".join(pages))
    assert all(re.search(rf"rests on entry {line['cause'][0].split(':')[1]}\b", said) for line in made.content["lines"])


@pytest.mark.parametrize(("language", "warning"), [("fi", "ESITTELY – ei maksettavaksi"), ("en", "DEMO – not to be paid")])
def test_a_demos_invoice_says_above_all_that_nobody_owes_it(office: Office, language: str, warning: str) -> None:
    """The first words of text and PDF are the warning; a real invoice has none."""
    office.use_march()
    demo, real = office.close(MARCH, demo=True)[0].content, dict(office.invoices(MARCH)[0].content, demo=False)
    assert text_of(demo, language).startswith(warning)
    assert _words_of(rendered(demo, language)).startswith(warning)
    assert warning not in text_of(real, language)  # type: ignore[arg-type]


def test_a_language_that_invoices_do_not_speak_is_refused(office: Office, issued: Invoice) -> None:
    """Swedish is not there yet, and nothing else stands in for it."""
    with pytest.raises(Invalid, match="Choose fi or en"):
        pdf_of(office.desk.database, BIRGIT, invoice_id=issued.id, language="sv")


def test_who_may_not_see_an_invoice_gets_no_pdf(office: Office, issued: Invoice) -> None:
    """A host may not, and a member is told that there is none that is not theirs."""
    pdf_of(office.desk.database, BIRGIT, invoice_id=issued.id, language="fi")
    for role, refusal in ((Role.HOST, NotAllowed), (Role.MEMBER, NotFound)):
        with pytest.raises(refusal):
            pdf_of(office.desk.database, Actor.of("x", role), invoice_id=issued.id, language="fi")
