# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the tests of the booking server share: an instant and a small hub, made through the services."""

from datetime import UTC, datetime

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
