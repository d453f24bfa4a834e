# SPDX-License-Identifier: AGPL-3.0-or-later
"""The first page: how the doors are, who taps, what needs a person."""
