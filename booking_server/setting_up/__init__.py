# SPDX-License-Identifier: AGPL-3.0-or-later
"""How a machine becomes a hub's server: five questions, each answer checked as it is given, then all is made and started."""
