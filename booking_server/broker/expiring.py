# SPDX-License-Identifier: AGPL-3.0-or-later
"""Until when the hub's certificates last. It only reads: what is missing is left out, and never made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509


@dataclass(frozen=True, slots=True)
class Lasting:
    """A certificate, until when it lasts, and the names and addresses that it is for."""

    name: str
    ends: datetime
    names: tuple[str, ...] = ()


def own(state_folder: Path, identity: str, pages: Path | None) -> Iterator[Lasting]:
    """Yield what this server itself shows: authority, broker, its identity, and the pages' certificate where it has one."""
    files = {
        "authority": state_folder / "authority" / "ca.pem",
        "broker": state_folder / "broker" / "broker.pem",
        identity: state_folder / "identities" / identity / "certificate.pem",
    }
    if pages is not None:
        files["pages"] = pages
    for name, file in files.items():
        if (found := read(name, file)) is not None:
            yield found


def of_doors(state_folder: Path) -> dict[str, Lasting]:
    """Return for each name that was issued certificates the one that lasts longest of those not taken back."""
    authority, revoked = state_folder / "authority", set()
    found: dict[str, Lasting] = {}
    with suppress(OSError, ValueError):
        revoked = set(json.loads((authority / "revoked.json").read_text(encoding="utf-8")))
    for file in (authority / "issued").glob("*.*.pem"):
        name, serial, _ = file.name.split(".")
        one = None if serial in revoked else read(name, file)
        if one is not None and (name not in found or found[name].ends < one.ends):
            found[name] = one
    return found


def issued_at(state_folder: Path) -> float:
    """Return when a certificate was last issued to a client, as the file system counts; 0 if none was."""
    with suppress(OSError):
        return (state_folder / "authority" / "issued").stat().st_mtime
    return 0.0


def read(name: str, file: Path) -> Lasting | None:
    """Return the first certificate in a file; None where there is none."""
    with suppress(OSError, ValueError):
        return lasting(name, x509.load_pem_x509_certificate(file.read_bytes()))
    return None


def lasting(name: str, certificate: x509.Certificate) -> Lasting:
    names: list[str] = []
    with suppress(x509.ExtensionNotFound):
        for one in certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value:
            names.append(str(one.value))
    return Lasting(name, certificate.not_valid_after_utc, tuple(names))
