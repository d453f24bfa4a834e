# SPDX-License-Identifier: AGPL-3.0-or-later
"""How the pages say what went, what stays and why, who looked, and what somebody asked."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

WENT = {
    "access": _("Access that is withdrawn"),
    "keytags": _("Keytags that are blocked and taken back"),
    "bookings": _("Bookings to come that are cancelled"),
    "purposes": _("What bookings were for"),
    "taps": _("Taps that no longer tell who it was"),
    "links": _("Entries that are no longer linked to the person"),
    "accounts": _("Accounts that are closed, with their name, sessions and ways to sign in"),
    "messages": _("Messages to the person"),
    "wishes": _("What the person asked about their data"),
    "imported": _("By what number another system knows them, and files that they imported"),
    "acts": _("Records of what the person did, from then on under a number"),
    "name": _("The person's name and e-mail address"),
    "customer": _("Name, address and e-mail of who pays"),
}

STAYS = {
    "invoices": _("Invoices"),
    "links": _("Entries linked to the person"),
    "customer": _("Name and address of who pays"),
    "taps": _("Taps with the person"),
}

WHY = {
    "books": _("the books need them"),
    "contest": _("the bill can still be contested"),
    "not_invoiced": _("there is use that was not invoiced yet"),
    "frozen": _("staff froze the door's log"),
    "pending": _("they are of the last day, or their time or outcome may still come"),
}

LOOKED = {
    "taps_read": _("read the taps"),
    "seen_at_doors": _("saw the name in the list of taps"),
    "month_seen": _("saw the use of the month"),
    "invoice_seen": _("opened an invoice"),
    "data_exported": _("took a copy of all data"),
}

KINDS = {
    "correct": _("Correct something"),
    "erase": _("Erase my data"),
    "restrict": _("Use my data less"),
    "object": _("I object to how they are used"),
    "other": _("Something else"),
}

FORGOTTEN = {
    "ended": _("People erased whose membership ended long ago"),
    "erased_on": _("Erased people of whom more could go"),
    "taps": _("Taps whose name and keytag went"),
    "links": _("Entries no longer linked to a person"),
    "buyers": _("Invoices that the books need no longer, without their buyer"),
    "messages": _("Messages whose words went"),
    "boxes": _("Boxes that asked to become a door, with their addresses"),
    "commands": _("Commands to doors given up"),
    "imports": _("Files that waited to be imported, and records of old imports"),
    "sessions": _("Sessions that were over"),
    "wrong_tries": _("Wrong tries to sign in"),
    "looks": _("Records of who looked"),
    "sign_ins": _("Records of who signed in"),
    "acts": _("Records of what staff did"),
}
