# SPDX-License-Identifier: AGPL-3.0-or-later
"""Says an invoice in Finnish or English: every word, date and amount as it is printed, for the text and the PDF alike.

The languages stand here and not in the pages' catalogues because an invoice is in its reader's language, not in that of
whoever opens the page. Nothing here computes an amount.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from booking_server.errors import Invalid
from booking_server.invoices.rules import Content, Line, Party

NO_BREAK = "\N{NO-BREAK SPACE}"

_FINNISH = {
    "invoice": "Lasku",
    "number": "Laskun numero",
    "issued_on": "Laskun päivä",
    "due_on": "Eräpäivä",
    "period": "Laskutuskausi",
    "reference": "Viitenumero",
    "account": "Tilinumero (IBAN)",
    "to_pay": "Maksettava",
    "receiver": "Saaja",
    "business_id": "Y-tunnus",
    "vat_id": "ALV-tunniste",
    "day": "Päivä",
    "what": "Mistä",
    "quantity": "Määrä",
    "unit_price": "à",
    "vat_rate": "ALV",
    "net": "Veroton",
    "vat": "Vero",
    "gross": "Yhteensä",
    "vat_base": "Veron peruste",
    "total": "Yhteensä, EUR",
    "sums": "Yhteenveto",
    "lines": "Mistä lasku koostuu",
    "basis": "perusteena",
    "exempt": "0 %: arvonlisäveroton kiinteistön käyttöoikeus (arvonlisäverolaki 27 §).",
    "amounts": "Rivien hinnat ovat verottomia. Vero lasketaan kerran kunkin verokannan summasta "
    "ja pyöristetään lähimpään senttiin.",
    "days": "Päivä kestää kello viidestä seuraavan aamun kello viiteen. Jokainen rivi avautuu sisäänkäyntiin tai varaukseen, "
    "johon se perustuu.",
    "page": "sivu",
    "late": "myöhässä saapunut, kuuluu kuulle {month}",
    "demo": "ESITTELY – ei maksettavaksi",
    "demo_note": "Tämä lasku on tehty esittelykäytössä simuloiduista tapahtumista. Sitä ei makseta, eikä kukaan ole velkaa.",
}

_ENGLISH = {
    "invoice": "Invoice",
    "number": "Invoice number",
    "issued_on": "Invoice date",
    "due_on": "Due date",
    "period": "Period",
    "reference": "Reference number",
    "account": "Account (IBAN)",
    "to_pay": "To pay",
    "receiver": "Payee",
    "business_id": "Business ID",
    "vat_id": "VAT ID",
    "day": "Day",
    "what": "What",
    "quantity": "Quantity",
    "unit_price": "Each",
    "vat_rate": "VAT",
    "net": "Net",
    "vat": "VAT",
    "gross": "Total",
    "vat_base": "Taxable",
    "total": "Total, EUR",
    "sums": "Summary",
    "lines": "What makes up this invoice",
    "basis": "rests on",
    "exempt": "0 %: right to use immovable property, exempt from VAT (Finnish VAT Act, section 27).",
    "amounts": "Line amounts are without VAT. VAT is worked out once on the sum of each rate and rounded to the nearest cent.",
    "days": "A day runs from 05:00 to 05:00 the next morning. Each line opens to the entry or booking it rests on.",
    "page": "page",
    "late": "arrived late, belongs to {month}",
    "demo": "DEMO – not to be paid",
    "demo_note": "This invoice was made in a demo from simulated use. It is not to be paid, and nobody owes it.",
}

_UNITS = {
    "fi": {"entry": "sisäänkäynti", "day": "käyntipäivä", "booked_hour": "varattu tunti"},
    "en": {"entry": "entry", "day": "day of visit", "booked_hour": "booked hour"},
}
_CAUSES = {"fi": {"entry": "sisäänkäynti", "booking": "varaus"}, "en": {"entry": "entry", "booking": "booking"}}
_WORDS = {"fi": _FINNISH, "en": _ENGLISH}
LANGUAGES = tuple(_WORDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidLine:
    """One line as printed."""

    day: str
    space: str
    what: str
    quantity: str
    unit_price: str
    vat_rate: str
    net: str
    basis: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """All lines of one space, unit, price and VAT rate, as printed."""

    space: str
    what: str
    quantity: str
    unit_price: str
    vat_rate: str
    net: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A whole invoice as printed. `facts` and `vat` are rows of cells; `words` the fixed words by name.

    `warning` is empty, or says above all else that nobody owes this.
    """

    language: str
    warning: str
    words: dict[str, str]
    title: str
    seller: list[str]
    buyer: list[str]
    facts: list[tuple[str, str]]
    payment: list[tuple[str, str]]
    sums: list[Sum]
    lines: list[SaidLine]
    vat: list[tuple[str, str, str, str]]
    net: str
    vat_total: str
    gross: str
    notes: list[str]


def words_of(language: str) -> dict[str, str]:
    """Return the fixed words. Raise Invalid for a language that invoices do not speak."""
    if language not in _WORDS:
        raise Invalid("language", "{language} is not a language of invoices. Choose fi or en.", language=repr(language))
    return _WORDS[language]


def said(content: Content, language: str) -> Said:
    """Return the invoice in words. Raise Invalid for an unknown language."""
    words = words_of(language)
    gross = amount(content["gross_cents"], language)
    return Said(
        language=language,
        warning=words["demo"] if content["demo"] else "",
        words=words,
        title=f"{words['invoice']} {content['number']}",
        seller=_party(content["seller"], words),
        buyer=_party(content["buyer"], words),
        facts=[
            (words["number"], str(content["number"])),
            (words["issued_on"], day(content["issued_on"], language)),
            (words["period"], month(content["month"], language)),
            (words["due_on"], day(content["due_on"], language)),
        ],
        payment=[
            (words["receiver"], content["seller"]["name"]),
            (words["account"], content["seller"]["iban"]),
            (words["reference"], _grouped(content["reference"])),
            (words["due_on"], day(content["due_on"], language)),
            (words["to_pay"], f"{gross}{NO_BREAK}EUR"),
        ],
        sums=_sums(content["lines"], language),
        lines=[_line(line, language) for line in content["lines"]],
        vat=[
            (
                rate(row["vat_permille"], language),
                amount(row["net_cents"], language),
                amount(row["vat_cents"], language),
                amount(row["net_cents"] + row["vat_cents"], language),
            )
            for row in content["vat"]
        ],
        net=amount(content["net_cents"], language),
        vat_total=amount(content["vat_cents"], language),
        gross=gross,
        notes=_notes(content, words),
    )


def amount(cents: int, language: str) -> str:
    """Return cents as euros: "1 234,50" or "1,234.50"."""
    sign, (euros, rest) = "\N{MINUS SIGN}" if cents < 0 else "", divmod(abs(cents), 100)
    if language == "fi":
        return f"{sign}{f'{euros:,}'.replace(',', NO_BREAK)},{rest:02}"
    return f"{sign}{euros:,}.{rest:02}"


def rate(permille: int, language: str) -> str:
    """Return a VAT rate: "25,5 %", "10 %"."""
    whole, rest = divmod(permille, 10)
    point = "," if language == "fi" else "."
    return f"{whole}{f'{point}{rest}' if rest else ''}{NO_BREAK}%"


def day(iso: str, language: str) -> str:
    """Return an ISO day as "3.11.2026" or "3 Nov 2026"."""
    when = date.fromisoformat(iso)
    if language == "fi":
        return f"{when.day}.{when.month}.{when.year}"
    return f"{when.day} {_ENGLISH_MONTHS[when.month - 1][:3]} {when.year}"


def month(iso: str, language: str) -> str:
    """Return "2026-11" as "marraskuu 2026" or "November 2026"."""
    year, number = iso.split("-")
    names = _FINNISH_MONTHS if language == "fi" else _ENGLISH_MONTHS
    return f"{names[int(number) - 1]} {year}"


_FINNISH_MONTHS = (
    "tammikuu", "helmikuu", "maaliskuu", "huhtikuu", "toukokuu", "kesäkuu",
    "heinäkuu", "elokuu", "syyskuu", "lokakuu", "marraskuu", "joulukuu",
)  # fmt: skip
_ENGLISH_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def _party(party: Party, words: dict[str, str]) -> list[str]:
    rows = [party["name"], *party["address"].replace("\n", ", ").split(", ")]
    rows += [f"{words[key]} {party[key]}" for key in ("business_id", "vat_id") if party[key]]
    return [row.strip() for row in rows if row.strip()]


def _notes(content: Content, words: dict[str, str]) -> list[str]:
    exempt = [words["exempt"]] if any(row["vat_permille"] == 0 for row in content["vat"]) else []
    demo = [words["demo_note"]] if content["demo"] else []
    return [*demo, words["amounts"], words["days"], *exempt]


def _line(line: Line, language: str) -> SaidLine:
    words = _WORDS[language]
    return SaidLine(
        day=day(line["service_day"], language),
        space=line["space"],
        what=_UNITS[language][line["unit"]],
        quantity=str(line["quantity"]),
        unit_price=amount(line["unit_cents"], language),
        vat_rate=rate(line["vat_permille"], language),
        net=amount(line["net_cents"], language),
        basis=f"{words['basis']} {basis(line['cause'], language)}",
        note=words["late"].format(month=f"{line['service_day'][5:7]}/{line['service_day'][:4]}") if line["late"] else "",
    )


def basis(cause: list[str], language: str) -> str:
    """Return what a line rests on: "entry 12, 15"."""
    kind = cause[0].split(":")[0]
    return f"{_CAUSES[language][kind]} {', '.join(one.split(':')[1] for one in cause)}"


def _sums(lines: list[Line], language: str) -> list[Sum]:
    sums: dict[tuple[str, str, int, int], int] = {}
    for line in lines:
        key = (line["space"], line["unit"], line["unit_cents"], line["vat_permille"])
        sums[key] = sums.get(key, 0) + line["quantity"]
    return [
        Sum(
            space=space,
            what=_UNITS[language][unit],
            quantity=str(quantity),
            unit_price=amount(unit_cents, language),
            vat_rate=rate(permille, language),
            net=amount(quantity * unit_cents, language),
        )
        for (space, unit, unit_cents, permille), quantity in sums.items()
    ]


def _grouped(reference: str) -> str:
    """Return a reference number in groups of five from the right, as banks print it."""
    first = len(reference) % 5
    groups = [reference[:first], *(reference[at : at + 5] for at in range(first, len(reference), 5))]
    return NO_BREAK.join(group for group in groups if group)
