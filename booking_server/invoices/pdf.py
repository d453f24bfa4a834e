# SPDX-License-Identifier: AGPL-3.0-or-later
"""The invoice as a PDF: tagged, archivable (PDF/A-3), made once in each language and kept: the same bytes come back for ever.

It is made from the content as issued and from nothing else: no clock, no font of this machine, no network.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from functools import cache
from importlib.resources import files

import msgspec
import typst
from sqlalchemy import Connection, insert, select

from booking_server.actors import Actor
from booking_server.db import Database, one_at_a_time
from booking_server.invoices import service
from booking_server.invoices.rules import Content
from booking_server.invoices.tables import invoice_documents
from booking_server.invoices.wording import said, words_of

STANDARD: typst.PDFStandard = "a-3a"


def pdf_of(database: Database, actor: Actor, *, invoice_id: int, language: str) -> bytes:
    """Return the invoice's PDF, the same bytes at every call. Raise Invalid for the language; NotFound; NotAllowed.

    It opens its own transactions, and none while it sets the page: that takes longer than a writer may wait.
    """
    words_of(language)
    with database.read() as tx:
        content = service.invoice(tx, actor, invoice_id).content
        kept = _kept(tx, invoice_id, language)
    if kept is not None:
        return kept
    made = rendered(content, language)
    with database.write() as tx:
        one_at_a_time(tx, f"invoice_document:{invoice_id}")
        kept = _kept(tx, invoice_id, language)
        if kept is None:
            tx.execute(insert(invoice_documents).values(invoice_id=invoice_id, language=language, pdf=made))
    return kept or made


def rendered(content: Content, language: str) -> bytes:
    """Return the PDF of an invoice's content. Raise Invalid for an unknown language."""
    issued_at = datetime.combine(date.fromisoformat(content["issued_on"]), time(12), UTC)
    compiler = typst.Compiler(_template(), ignore_system_fonts=True)
    made = compiler.compile(
        format="pdf",
        pdf_standards=[STANDARD],
        timestamp=issued_at,
        sys_inputs={"said": msgspec.json.encode(said(content, language)).decode()},
    )
    if not isinstance(made, bytes):
        raise TypeError("a PDF is one piece of bytes")
    return made


@cache
def _template() -> bytes:
    return files("booking_server.invoices").joinpath("invoice.typ").read_bytes()


def _kept(tx: Connection, invoice_id: int, language: str) -> bytes | None:
    here = (invoice_documents.c.invoice_id == invoice_id) & (invoice_documents.c.language == language)
    return tx.execute(select(invoice_documents.c.pdf).where(here)).scalar()
