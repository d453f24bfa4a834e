# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is this hub's server well, and what is to be done where it is not? It looks and asks, and never changes anything."""
