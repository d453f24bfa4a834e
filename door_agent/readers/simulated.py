# SPDX-License-Identifier: AGPL-3.0-or-later
"""A reader that is not there: what the control socket taps on it is heard as a tap. Only with demo = true."""

from __future__ import annotations

from access_contract.vocabulary import Assurance, TagNumber
from door_agent.readers.port import Heard, Shown


class SimulatedReader:
    """Always there and always well; it shows nothing, because the lamps' pins are watched instead."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        heard.moved("simulated", "")

    def tap(self, number: TagNumber) -> None:
        """Lay a tag on and take it away."""
        self._heard.tapped(number, Assurance.A0)

    def is_alive(self) -> bool:
        return True

    def show(self, shown: Shown) -> None:
        pass

    def close(self) -> None:
        pass
