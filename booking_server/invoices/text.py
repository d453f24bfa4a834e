# SPDX-License-Identifier: AGPL-3.0-or-later
"""An invoice as plain text, 90 columns wide: for a terminal, a mail, or a reader that speaks."""

from __future__ import annotations

from itertools import groupby
from textwrap import wrap

from booking_server.invoices.rules import Content
from booking_server.invoices.wording import NO_BREAK, Said, SaidLine, said

WIDTH = 90
RULE = "-" * WIDTH


def text_of(content: Content, language: str) -> str:
    """Return the whole invoice as text. Raise Invalid for an unknown language."""
    invoice = said(content, language)
    parts = [*_head(invoice), "", *_body(invoice), "", *_vat(invoice), "", *_labelled(invoice.payment), "", *_foot(invoice)]
    return "\n".join(row.replace(NO_BREAK, " ").rstrip() for row in parts) + "\n"


def _head(invoice: Said) -> list[str]:
    warning = [invoice.warning, ""] if invoice.warning else []
    return [
        *warning,
        invoice.title,
        "=" * len(invoice.title),
        "",
        *invoice.seller,
        "",
        *invoice.buyer,
        "",
        *_labelled(invoice.facts),
    ]


def _body(invoice: Said) -> list[str]:
    words = invoice.words
    head = f"{words['day']:<12}{words['what']:<34}{words['quantity']:>9}{words['unit_price']:>11}"
    rows = [RULE, f"{head}{words['vat_rate']:>9}{words['net']:>15}", RULE]
    for space, lines in groupby(sorted(invoice.lines, key=_space), key=_space):
        rows += [space, *(row for line in lines for row in _line(line))]
    return [*rows, RULE]


def _space(line: SaidLine) -> str:
    return line.space


def _line(line: SaidLine) -> list[str]:
    what = f"{line.what} ({line.basis})"
    figures = f"{line.quantity:>9}{line.unit_price:>11}{line.vat_rate:>9}{line.net:>15}"
    first, *more = wrap(what + (f"; {line.note}" if line.note else ""), 34)
    return [f"{line.day:<12}{first:<34}{figures}", *(f"{'':<12}{row}" for row in more)]


def _vat(invoice: Said) -> list[str]:
    words = invoice.words
    rows = [("", words["vat_base"], words["vat"], words["gross"])]
    rows += [(f"{words['vat_rate']} {rate}", net, vat, gross) for rate, net, vat, gross in invoice.vat]
    rows.append((words["total"], invoice.net, invoice.vat_total, invoice.gross))
    return [f"{name:<42}{net:>16}{vat:>16}{gross:>16}" for name, net, vat, gross in rows]


def _labelled(rows: list[tuple[str, str]]) -> list[str]:
    return [f"{name + ':':<22}{value}" for name, value in rows]


def _foot(invoice: Said) -> list[str]:
    return [row for note in invoice.notes for row in wrap(note, WIDTH)]
