# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does a reader that types like a keyboard become taps, and only taps, from the kernel's own events?"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from access_contract.vocabulary import InvalidTagNumber
from door_agent.readers.evdev import EvdevReader, grabbed
from door_agent.readers.keys import EVENT, Lines
from door_agent.readers.numbers import sent, typed
from door_agent.readers.settings import Evdev
from tests.door_agent.heard import written_down
from tests.system.processes import wait_for

UINPUT = Path("/dev/uinput")
DEVICE = Path("/dev/input/by-id/usb-reader-event-kbd")
ENTER, SHIFT = 28, 42
KEYS = {**dict(zip("1234567890", range(2, 12), strict=True)), "A": 30, "B": 48, "C": 46, "D": 32, "E": 18, "F": 33, "\n": ENTER}


def keys(text: str, *, at: float = 100.0, apart: float = 0.008) -> bytes:
    """The events of a keyboard that types `text`: scan code, key down, sync, key up, sync; letters under Shift."""
    events = b""
    for place, letter in enumerate(text):
        when = at + place * apart
        codes = [SHIFT, KEYS[letter]] if letter.isalpha() else [KEYS[letter]]
        for value in (1, 0):
            for code in codes:
                events += event(when, 4, 4, 0x70000 + code) + event(when, 1, code, value) + event(when, 0, 0, 0)
    return events


def event(at: float, kind: int, code: int, value: int) -> bytes:
    return EVENT.pack(int(at), round(at % 1 * 1e6), kind, code, value)


class Plug:
    """Stands for the device's file: a pipe for each time that the reader is plugged in."""

    def __init__(self) -> None:
        self._writes: int | None = None
        self._reads: int | None = None
        self.refusal = errno.ENOENT

    def plug_in(self) -> None:
        self._reads, self._writes = os.pipe2(os.O_NONBLOCK)

    def pull(self) -> None:
        if self._writes is not None:
            os.close(self._writes)
        self._writes = None

    def types(self, events: bytes) -> None:
        assert self._writes is not None
        os.write(self._writes, events)

    def open(self, _device: Path) -> int:
        reads, self._reads = self._reads, None
        if reads is None:
            raise OSError(self.refusal, os.strerror(self.refusal))
        return reads


@contextmanager
def reader(*, profile: str = "hex", reversed_bytes: bool = False) -> Iterator[tuple[Plug, list[str]]]:
    plug, said = Plug(), list[str]()
    settings = Evdev(access_point="in", device=str(DEVICE), format=profile, reversed_bytes=reversed_bytes)  # type: ignore[arg-type]
    plug.plug_in()
    made = EvdevReader(settings, written_down(said), opened=plug.open)
    try:
        yield plug, said
    finally:
        made.close()
        plug.pull()


def test_a_typed_number_is_one_tap_without_any_assurance() -> None:
    """Scan codes, key releases, Shift and sync events are no digits; a number cut in two by the read is one number."""
    with reader() as (plug, said):
        events = keys("04782E21801D80\n")
        plug.types(events[: EVENT.size * 40])
        plug.types(events[EVENT.size * 40 :])
        wait_for(lambda: len(said) == 2, "the tap")
        assert said == ["reader usb-reader-event-kbd", "tap 04782E21801D80 A0"]


def test_a_reader_that_types_a_lying_tag_again_and_again_tells_of_one_tap() -> None:
    """The same number within two seconds of the last time is the same tap; after that, or another number, is a new one."""
    with reader() as (plug, said):
        for at in (100.0, 101.5, 103.0, 104.5, 107.0):
            plug.types(keys("DE10BB77\n", at=at))
        plug.types(keys("04AA10BB\n", at=107.5) + keys("DE10BB77\n", at=108.0))
        wait_for(lambda: len(said) == 5, "the taps")
        assert said[1:] == ["tap DE10BB77 A0", "tap DE10BB77 A0", "tap 04AA10BB A0", "tap DE10BB77 A0"]


def test_keys_that_a_hand_typed_are_not_put_before_a_number() -> None:
    """What stood there for longer than 200 ms is another line, and not the beginning of this one."""
    with reader() as (plug, said):
        plug.types(keys("12", at=100.0) + keys("DE10BB77\n", at=100.3))
        wait_for(lambda: len(said) == 2, "the tap")
        assert said[1] == "tap DE10BB77 A0"


def test_what_is_no_number_is_told_as_unreadable() -> None:
    """A line too short, a foreign key and a hole that the kernel admits are no taps; an empty line is nothing."""
    with reader() as (plug, said):
        foreign = event(102.0, 1, 44, 1)
        dropped = event(103.0, 0, 3, 0)
        plug.types(keys("\n", at=100.0) + keys("DE10\n", at=101.0) + foreign + keys("DE10BB77\n", at=102.01))
        plug.types(dropped + keys("DE10BB77\n", at=103.01))
        wait_for(lambda: len(said) == 4, "three times unreadable")
        assert said[1:] == ["unreadable"] * 3


def test_a_reader_pulled_and_put_back_heals_by_itself() -> None:
    """It is away with the reason, and back without anybody's help."""
    with reader() as (plug, said):
        wait_for(lambda: said, "it is there")
        plug.pull()
        wait_for(lambda: len(said) == 3, "it is away, twice for two reasons")
        plug.plug_in()
        plug.types(keys("DE10BB77\n"))
        wait_for(lambda: len(said) == 5, "the tap")
        assert said[1:] == [
            f"reader None {DEVICE}: is no input device any more",
            f"reader None {DEVICE}: No such file or directory",
            "reader usb-reader-event-kbd",
            "tap DE10BB77 A0",
        ]


def test_a_device_that_cannot_be_grabbed_is_not_read(tmp_path: Path) -> None:
    """Nothing is read that another program could read too: a plain file, like any without the grab, is refused."""
    file = tmp_path / "events"
    file.write_bytes(keys("DE10BB77\n"))
    with pytest.raises(OSError, match="Inappropriate ioctl"):
        grabbed(file)


@pytest.mark.parametrize(
    ("text", "profile", "backwards", "number"),
    [
        ("04782e21801d80", "hex", False, "04782E21801D80"),
        ("801D80212E7804", "hex", True, "04782E21801D80"),
        ("0012345678", "decimal", False, "00BC614E"),
        ("12345678", "decimal", False, "00BC614E"),
        ("0012345678", "8h10d", True, "4E61BC00"),
        ("4294967295", "8h10d", False, "FFFFFFFF"),
    ],
)
def test_a_profile_turns_what_is_typed_into_the_canonical_number(
    text: str,
    profile: str,
    backwards: bool,  # noqa: FBT001
    number: str,
) -> None:
    """The same tag is the same number, whichever reader read it."""
    assert str(typed(text, profile, reversed_bytes=backwards)) == number


@pytest.mark.parametrize(
    ("text", "profile"),
    [("4294967296", "decimal"), ("", "decimal"), ("12345678", "8h10d"), ("00123456789", "8h10d"), ("٠٠١٢٣٤٥٦٧٨", "8h10d"),
     ("DE10BB", "hex"), ("+123456789", "8h10d")],
)  # fmt: skip
def test_what_does_not_fit_its_profile_is_no_number(text: str, profile: str) -> None:
    """Nothing is guessed, cut or filled up."""
    with pytest.raises(InvalidTagNumber):
        typed(text, profile, reversed_bytes=False)


@pytest.mark.parametrize(
    ("data", "bits", "profile", "number"),
    [
        ("DE10BB77", 32, "uid", "DE10BB77"),
        ("04782E21801D80", 56, "uid", "04782E21801D80"),
        ("EF085DBBC0", 34, "wiegand34", "DE10BB77"),
    ],
)
def test_bits_from_the_line_become_the_canonical_number(data: str, bits: int, profile: str, number: str) -> None:
    """Parity stands around the number and is no part of it."""
    assert str(sent(bytes.fromhex(data), bits, profile, reversed_bytes=False)) == number


@pytest.mark.parametrize(
    ("data", "bits", "profile"),
    [("6F085DBBC0", 34, "wiegand34"), ("EF085DBB80", 34, "wiegand34"), ("DE10BB77", 32, "wiegand34"), ("2F623AE0", 26, "uid"),
     ("DE10", 32, "uid")],
)  # fmt: skip
def test_bits_with_a_wrong_parity_or_length_are_no_number(data: str, bits: int, profile: str) -> None:
    """A flipped bit, a short word and 26 bits, which cut every number, are refused."""
    with pytest.raises(InvalidTagNumber):
        sent(bytes.fromhex(data), bits, profile, reversed_bytes=False)


def test_lines_end_at_either_enter_and_know_the_number_pad() -> None:
    """A reader that plays the number pad is read as well as one that plays the row of digits."""
    pad = b"".join(event(100 + place / 100, 1, code, 1) for place, code in enumerate((79, 80, 81, 75, 76, 77, 71, 72, 96)))
    assert list(Lines().take(pad)) == [(100.08, "12345678")]


@pytest.mark.skipif(not UINPUT.exists(), reason="this kernel has no /dev/uinput to make a keyboard with (modprobe uinput)")
def test_through_the_kernel_a_number_is_read_and_nobody_else_reads_it() -> None:
    """A keyboard made in the kernel types a number: it is a tap, and a second grab of the same device is refused."""
    said: list[str] = []
    with keyboard() as (types, device):
        made = EvdevReader(Evdev(access_point="in", device=str(device)), written_down(said))
        try:
            wait_for(lambda: said == [f"reader {device.name}"], "the device is there")
            with pytest.raises(OSError, match="busy"):
                grabbed(device)
            types("04782E21801D80\n")
            wait_for(lambda: len(said) == 2, "the tap")
            assert said[1] == "tap 04782E21801D80 A0"
        finally:
            made.close()


@contextmanager
def keyboard() -> Iterator[tuple[Callable[[str], None], Path]]:
    """Make a keyboard in the kernel (linux/uinput.h); yield how to type on it, and its device file.

    It types at a reader's pace: the kernel keeps 64 events for who reads, and drops what comes faster than it is read.
    """
    set_event, set_key, setup, create, destroy, name_of = 0x40045564, 0x40045565, 0x405C5503, 0x5501, 0x5502, 0x8040552C
    descriptor = os.open(UINPUT, os.O_WRONLY | os.O_NONBLOCK)
    try:
        fcntl.ioctl(descriptor, set_event, 1)
        for code in range(1, 128):
            fcntl.ioctl(descriptor, set_key, code)
        fcntl.ioctl(descriptor, setup, struct.pack("4H80sI", 3, 0x1209, 1, 1, b"hubkey test keyboard", 0))
        fcntl.ioctl(descriptor, create)
        name = fcntl.ioctl(descriptor, name_of, bytes(64)).split(b"\0")[0].decode()
        folder = Path("/sys/devices/virtual/input", name)
        wait_for(lambda: list(folder.glob("event*")), "the kernel made the device")
        device = Path("/dev/input", next(folder.glob("event*")).name)
        wait_for(device.exists, "its file is there")

        def types(text: str) -> None:
            for letter in text:
                os.write(descriptor, keys(letter))
                time.sleep(0.008)

        yield types, device
        fcntl.ioctl(descriptor, destroy)
    finally:
        os.close(descriptor)
