# SPDX-License-Identifier: AGPL-3.0-or-later
"""People, their keytags and access from a file: by hand, shown before it is done; and each night from the roster."""
