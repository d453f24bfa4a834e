# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a hub comes to in counts and sums. It names nobody."""
