# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is each wiring's off locked, from the first instant to the last, whatever ends the agent? Do its files say what they need?"""

from __future__ import annotations

import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from access_contract.vocabulary import AccessPointId, TagNumber
from door_agent import happenings as h
from door_agent.config import load
from door_agent.errors import BadConfiguration
from door_agent.files import settings_of
from door_agent.loop import Loop
from door_agent.main import made
from door_agent.wiring import profile, profiles, under
from tests.door_agent.pins import RememberingPin, forget_pins, pin, remembering_pins
from tests.door_agent.test_agent import NUMBER, write_door
from tests.system.processes import wait_for

ROOT = Path(__file__).parents[2]
LOCK, OPERATOR, DISARM = 17, 16, 26
_OUTPUTS = """
wiring = "{wiring}"
lock = {{ pin = 17, active_high = {high}, pulse_seconds = 0.2, extended_pulse_seconds = 0.4 }}
operator = {{ pin = 16, active_high = {high}, pulse_seconds = 0.1, delay_seconds = 0.1 }}
alarm = {{ armed_pin = 13, disarm_pin = 26, disarm_active_high = {high}, disarm_pulse_seconds = 0.1 }}
bolt = {{ pin = 5 }}
"""
TAP = h.TagRead(AccessPointId("in"), TagNumber.parse(NUMBER))


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Path]:
    toml = write_door(tmp_path)
    remembering_pins()
    yield toml
    forget_pins()


def wire(toml: Path, wiring: str, *, high: bool) -> None:
    lines = [line for line in toml.read_text(encoding="utf-8").splitlines() if not line.startswith("lock")]
    toml.write_text("\n".join(lines) + _OUTPUTS.format(wiring=wiring, high=str(high).lower()), encoding="utf-8")


def handled(toml: Path, hand: Callable[[Loop], None]) -> list[RememberingPin]:
    """Run the agent's loop with all its parts while `hand` works on another thread, then end it as SIGTERM does.

    Return the pins of lock, operator and disarm output with all that they did.
    """
    failed: list[BaseException] = []
    with ExitStack() as ends:
        loop = made(toml, load(toml), ends)
        pins = [pin(number) for number in (LOCK, OPERATOR, DISARM)]

        def work() -> None:
            try:
                hand(loop)
            except BaseException as error:
                failed.append(error)
            loop.put(None)

        thread = threading.Thread(target=work)
        thread.start()
        loop.run()
        thread.join(10)
    for error in failed:
        raise error
    assert [one.function for one in pins] == ["input"] * 3
    return pins


def driven(one: RememberingPin, *, high: bool) -> list[bool]:
    """What an output did, True where it was on, whichever level that is."""
    return [level is high for level in one.levels]


@pytest.mark.parametrize("high", [True, False], ids=["on_is_high", "on_is_low"])
@pytest.mark.parametrize("wiring", profiles())
def test_outputs_are_at_rest_at_the_start_and_at_the_end(door: Path, wiring: str, high: bool) -> None:  # noqa: FBT001
    """No tap: from the first instant until it is let go, no output of any wiring was ever on, on either kind of board."""
    wire(door, wiring, high=high)

    def hand(loop: Loop) -> None:
        heard = threading.Event()
        loop.put(h.TagRead(TAP.access_point, TagNumber.parse("04AABBCCDDEE80")))
        for moved in (h.ContactMoved(True), h.ExitPressed(), h.TamperMoved(True), h.FireMoved(True), h.LinkChanged(True)):
            loop.put(moved)
        loop.put(heard.set)
        assert heard.wait(10)

    assert [driven(one, high=high) for one in handled(door, hand)] == [[False]] * 3


@pytest.mark.parametrize("high", [True, False], ids=["on_is_high", "on_is_low"])
@pytest.mark.parametrize("wiring", profiles())
def test_a_tap_is_one_pulse_of_the_lock_then_one_of_the_operator(door: Path, wiring: str, high: bool) -> None:  # noqa: FBT001
    """Each rises once and falls by itself; the operator after the lock, and not at all while the bolt is thrown."""
    wire(door, wiring, high=high)
    lock, operator = pin(LOCK), pin(OPERATOR)

    def hand(loop: Loop) -> None:
        loop.put(TAP)
        wait_for(lambda: driven(lock, high=high) == [False, True, False], "the lock's pulse ends")
        assert driven(operator, high=high) == [False]
        loop.put(h.BoltMoved(False))
        loop.put(TAP)
        wait_for(lambda: driven(operator, high=high)[:3] == [False, True, False], "the operator's pulse ends")
        wait_for(lambda: driven(lock, high=high) == [False, True, False, True, False], "the second pulse ends")

    handled(door, hand)
    assert operator.driven[1][1] > lock.driven[1][1] + 0.09
    assert [driven(one, high=high)[-1] for one in (lock, operator)] == [False, False]


@pytest.mark.parametrize("high", [True, False], ids=["on_is_high", "on_is_low"])
def test_the_alarm_is_asked_by_one_pulse_and_its_end_is_armed_first(door: Path, high: bool) -> None:  # noqa: FBT001
    """The disarm output is bounded like the lock: the timer that ends it runs before it is on."""
    wire(door, "fail-secure-strike", high=high)
    disarm = pin(DISARM)

    def hand(loop: Loop) -> None:
        assert loop.parts.disarm is not None
        loop.put(partial(loop.parts.disarm.energise, 0.1))
        wait_for(lambda: driven(disarm, high=high) == [False, True, False], "the pulse ends")

    handled(door, hand)
    assert disarm.armed[1]


@pytest.mark.parametrize("high", [True, False], ids=["on_is_high", "on_is_low"])
def test_an_error_that_kills_the_loop_leaves_every_output_off(door: Path, high: bool) -> None:  # noqa: FBT001
    """All three are on, the loop dies of a bug: all three are off and let go before anybody hears of it."""
    wire(door, "door-operator", high=high)
    pins = [pin(number) for number in (LOCK, OPERATOR, DISARM)]
    with ExitStack() as ends:
        loop = made(door, load(door), ends)

        def all_on_and_die() -> None:
            for output in (loop.parts.relay, loop.parts.operator, loop.parts.disarm):
                assert output is not None
                output.energise(60)
            raise ZeroDivisionError

        loop.put(all_on_and_die)
        with pytest.raises(ZeroDivisionError):
            loop.run()
        assert [driven(one, high=high) for one in pins] == [[False, True, False]] * 3
        assert [one.function for one in pins] == ["input"] * 3


def test_what_door_toml_says_stands_over_its_wiring(door: Path) -> None:
    """The profile settles the rest; with none, the file is what it was."""
    door.write_text(
        door.read_text(encoding="utf-8").replace("lock = { pin = 17, pulse_seconds = 0.3 }", "")
        + '\nwiring = "motor-lock"\nlock = { pulse_seconds = 0.5 }\nbolt = { pin = 5 }\n',
        encoding="utf-8",
    )
    config = load(door)
    settled = settings_of(door, config)
    assert (config.lock.pin, settled.pulse_seconds, settled.extended_pulse_seconds) == (17, 0.5, 8.0)
    assert (settled.after_pulse_seconds, settled.bolt_seconds) == (8.0, 10.0)
    assert under({"lock": {"pin": 4}, "door": "x"}, {"lock": {"pin": 1, "active_high": False}}) == {
        "lock": {"pin": 4, "active_high": False},
        "door": "x",
    }


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            'wiring = "turnstile"',
            "wiring is 'turnstile'; allowed is: door-operator or fail-safe-maglock or fail-secure-strike or",
        ),
        ("wiring = 3", "wiring is 3; allowed is"),
        ('wiring = "motor-lock"', "wiring is 'motor-lock', which needs bolt.pin; it must be set"),
        ('wiring = "door-operator"', "wiring is 'door-operator', which needs operator.pin; it must be set"),
        ("alarm = { disarm_pin = 26 }", "alarm.disarm_pin needs alarm.armed_pin"),
        ("tamper = { pin = 22 }", "tamper.pin is 22, as is contact.pin; each needs a pin of its own"),
        ("timing = { extended_held_open_seconds = 5 }", "timing.extended_held_open_seconds is 5; it must be at least 60"),
        ('fire = { alarm = "high" }', "fire.alarm is 'high'; allowed is: circuit_closed or circuit_open"),
    ],
)
def test_a_wiring_that_cannot_be_is_named(door: Path, line: str, said: str) -> None:
    """One sentence names the file, the key and what is allowed."""
    door.write_text(f"{line}\n{door.read_text(encoding='utf-8')}", encoding="utf-8")
    with pytest.raises(BadConfiguration) as raised:
        load(door)
    assert str(door) in str(raised.value)
    assert said in str(raised.value)


@pytest.mark.parametrize("name", profiles())
def test_a_profile_tells_the_caretaker_which_contacts_to_use(name: str) -> None:
    """In its first lines, in words; and it names no pin, because pins are the box's own."""
    text = (ROOT / "firmware_config" / "wiring" / f"{name}.toml").read_text(encoding="utf-8")
    comment = " ".join(line.lstrip("# ") for line in text.splitlines() if line.startswith("#"))
    assert "COMMON (COM)" in comment
    assert (
        "NORMALLY CLOSED (NC)" in comment if name == "fail-safe-maglock" else "NORMALLY OPEN (NO)" in comment or "NO" in comment
    )
    settled = profile(name)
    assert settled is not None
    assert not any("pin" in table for table in settled.values() if isinstance(table, dict))


def test_the_profiles_are_part_of_what_is_installed() -> None:
    """An agent that was installed from a package finds them: the build takes the folder along."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    assert "firmware_config*" in project["packages"]["find"]["include"]
    assert "*.toml" in project["package-data"]["*"]
    assert profile("no-such-wiring") is None
