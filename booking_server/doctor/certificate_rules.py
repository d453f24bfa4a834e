# SPDX-License-Identifier: AGPL-3.0-or-later
"""How long the hub's certificates last, and whether the pages' is for the address that people type. Pure, of facts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from booking_server.doctor.facts import CertificateFact, Facts
from booking_server.doctor.finding import Finding, fault, ok, warning

PAGES_WARNING = timedelta(days=14)
OWN_WARNING = timedelta(days=90)
"""Authority, broker and server last for decades: who changes them needs time."""
DOOR_WARNING = timedelta(days=14)
"""A door fetches its next one when 30 days are left: with 14 it was not heard for long."""
_AGAIN = {
    "authority": "make a new hub's authority and enrol every door again; ask for help first",
    "broker": "booking-server broker write; systemctl restart booking-server-broker",
}


def certificates(facts: Facts) -> Iterator[Finding]:
    """Yield what is wrong with a certificate; where nothing is, until when they last."""
    own = {one.name: one for one in facts.certificates}
    wrong = [*_own(facts, own), *_pages(facts, own.get("pages")), *_doors(facts)]
    yield from wrong
    if not wrong:
        first = min([*facts.certificates, *_in_use(facts)], key=lambda one: one.ends)
        yield ok("certificates", f"all last; the first to end is {first.name}, on {first.ends:%Y-%m-%d}")


def _own(facts: Facts, found: dict[str, CertificateFact]) -> Iterator[Finding]:
    for name in ("authority", "broker", facts.config.broker.identity):
        to_do = _AGAIN.get(name, "booking-server broker write; systemctl restart booking-server-doors")
        if name not in found:
            yield fault("certificates", f"that of {name} is not there or cannot be read", "booking-server init")
        elif found[name].ends - facts.machine_now < OWN_WARNING:
            yield _ending(f"that of {name}", found[name].ends, facts.machine_now, to_do)


def _pages(facts: Facts, file: CertificateFact | None) -> Iterator[Finding]:
    """Look at what is shown at the address that people type; where nobody answers, at the file."""
    web = facts.config.web
    shown = next(
        (one.certificate for one in (facts.origin, facts.web) if one is not None and one.certificate is not None), file
    )
    if shown is None:
        if web.is_https:
            yield fault(
                "certificates", "that of the pages is not there or cannot be read", "systemctl restart booking-server-web"
            )
        return
    host = urlsplit(web.origin).hostname or ""
    if host not in ("0.0.0.0", "::") and not is_for(host, shown.names):  # noqa: S104 - what is nobody's name
        names = ", ".join(shown.names) or "nobody"
        to_do = "get one for that name, or set web.address (or web.known_as) to the name that people type"
        yield fault("certificates", f"that of the pages is for {names}, not for {host}", to_do)
    if shown.ends - facts.machine_now < PAGES_WARNING:
        renews = "see to what renews it (Caddy, certbot)" if web.certificate or web.address else "it is made anew at a start"
        yield _ending(
            "that of the pages", shown.ends, facts.machine_now, f"{renews}; then: systemctl restart booking-server-web"
        )


def _doors(facts: Facts) -> Iterator[Finding]:
    ending = [one for one in _in_use(facts) if one.ends - facts.machine_now < DOOR_WARNING]
    if ending:
        listed = ", ".join(f"{one.name} ({one.ends:%Y-%m-%d})" for one in sorted(ending, key=lambda one: one.ends)[:5])
        to_do = "connect the door: it fetches the next one by itself; once it has ended: sudo door-agent enrol, on the door"
        yield warning("certificates", f"those of {len(ending)} doors end soon or have ended: {listed}", to_do)


def _in_use(facts: Facts) -> list[CertificateFact]:
    doors = {door.id for door in facts.database.doors}
    return [one for one in facts.door_certificates if one.name in doors]


def _ending(what: str, ends: datetime, now: datetime, to_do: str) -> Finding:
    if ends <= now:
        return fault("certificates", f"{what} ended on {ends:%Y-%m-%d}", to_do)
    return warning("certificates", f"{what} ends on {ends:%Y-%m-%d}, in {(ends - now).days} days", to_do)


def is_for(host: str, names: tuple[str, ...]) -> bool:
    """True if a certificate with these names is for `host`; a leading `*.` stands for one label."""
    wild = f"*.{host.lower().partition('.')[2]}"
    return any(name.lower() in (host.lower(), wild) for name in names)
