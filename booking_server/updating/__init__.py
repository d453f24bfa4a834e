# SPDX-License-Identifier: AGPL-3.0-or-later
"""One command brings the hub to another version, or leaves it as it was. `alone` is what does it: it replaces all the rest."""
