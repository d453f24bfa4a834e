# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mosquitto's settings and rights, the hub's own certificate authority, and the files a door is given."""
