# SPDX-License-Identifier: AGPL-3.0-or-later
"""Can a code be read off a lamp, and a yes be said by a button, at a box without a screen?"""

from __future__ import annotations

from itertools import groupby

import pytest

from door_agent.enrolling_lamp import lamp_and_button, pattern
from tests.system.processes import wait_for


def counted(code: str) -> list[int]:
    """The blinks between long pauses, as somebody counts them."""
    shown = pattern(code)
    marks = ["on" if on else "long" if seconds >= 1.5 else "short" for on, seconds in shown]
    return [sum(mark == "on" for mark in group) for long, group in groupby(marks, lambda mark: mark == "long") if not long]


@pytest.mark.parametrize(
    ("code", "blinks"),
    [("123456", [1, 2, 3, 4, 5, 6]), ("000000", [10] * 6), ("907111", [9, 10, 7, 1, 1, 1])],
)
def test_a_digit_is_so_many_blinks(code: str, blinks: list[int]) -> None:
    """Six groups with a pause between, ten blinks for 0, and a longer pause before it begins again, dark at the end."""
    assert counted(code) == blinks
    shown = pattern(code)
    assert shown[-1][0] is False
    assert shown[-1][1] > max(seconds for _, seconds in shown[:-1])


def test_the_lamp_blinks_and_the_button_says_yes() -> None:
    """On mock pins: the lamp goes with the code, flickers when a yes is wanted, is dark afterwards; a press is heard."""
    with lamp_and_button(23, 27, mock=True) as (lamp, button):
        assert lamp is not None
        moves = lamp.device.pin
        lamp.show("111111")
        wait_for(lambda: len(moves.states) > 3, "it blinks")
        lamp.ready()
        wait_for(lambda: len(moves.states) > 8, "it flickers")
        assert button.wait_for_press(timeout=0.01) is None or not button.is_pressed
        button.pin.drive_low()
        assert button.wait_for_press(timeout=5)
    assert moves.states[-1].state is False


def test_without_pins_nothing_is_touched() -> None:
    """No lamp and no button named: no pin is opened."""
    with lamp_and_button(None, None, mock=False) as parts:
        assert parts == (None, None)
