# SPDX-License-Identifier: AGPL-3.0-or-later
"""Replaces the hub's own package, database and all, from a copy of itself that no package manager touches.

Standard library only, and nothing of the rest of Hubkey: `booking-server update` copies this folder away and has systemd run
the copy. It must end with the hub wholly in one version or wholly in the other, however often it is interrupted.
"""
