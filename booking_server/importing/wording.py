# SPDX-License-Identifier: AGPL-3.0-or-later
"""What staff read about imports: fates of rows, columns, and why the roster was stopped."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from booking_server.importing.planning import FateKind
from booking_server.importing.runs import Trouble

FATES = {
    FateKind.NEW: _("new"),
    FateKind.CHANGED: _("changed"),
    FateKind.SAME: _("nothing to do"),
    FateKind.REFUSED: _("refused"),
}
DOTS = {FateKind.NEW: "good", FateKind.CHANGED: "care", FateKind.SAME: "plain", FateKind.REFUSED: "bad"}

COLUMNS = {
    "row": _("the row"),
    "name": _("name"),
    "email": _("e-mail"),
    "language": _("language"),
    "address": _("address"),
    "customer": _("who pays"),
    "business_id": _("business ID"),
    "keytag": _("keytag"),
    "from": _("from"),
    "until": _("until"),
    "access": _("access"),
    "access_ended": _("access that ends"),
    "external_id": _("external id"),
    "file": _("the file"),
}

TROUBLES = {
    Trouble.UNREADABLE: _("The roster could not be read, so nothing was changed."),
    Trouble.EMPTY: _("The roster names nobody, so nothing was changed."),
    Trouble.OLD: _("The roster is too old, so nothing was changed. Whatever makes it each night seems to have stopped."),
    Trouble.TOO_MANY: _("The roster would end the access of too many people at once, so nothing was changed."),
}


def column_name(word: str) -> str:
    """Return what a column is called."""
    return str(COLUMNS.get(word, word))
