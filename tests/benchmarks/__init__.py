# SPDX-License-Identifier: AGPL-3.0-or-later
"""Performance as ratios: each measurement beside a floor taken in the same run. Fails on a ratio, never on a time."""
