# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mail to people: one outbox, written in the transaction of its cause and emptied by `booking-server mail`."""
