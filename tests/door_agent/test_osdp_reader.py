# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is an OSDP reader heard under its own key and under no other, over a real serial line, from libosdp's other side?"""

from __future__ import annotations

import os
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from door_agent.errors import BadConfiguration
from door_agent.readers.osdp import OsdpReader, key_of
from door_agent.readers.port import Shown
from door_agent.readers.serial import Line
from door_agent.readers.settings import Osdp
from tests.door_agent.heard import written_down
from tests.system.processes import wait_for

needs_libosdp = pytest.mark.skipif(
    find_spec("osdp_sys") is None, reason="libosdp is not installed (pip install 'hubkey[osdp]')"
)
KEY, OTHER = bytes(range(16)), bytes(range(1, 17))
SCBK_D = bytes(range(0x30, 0x40))
UID = bytes.fromhex("04782E21801D80")


class OnTheWall:
    """A reader: libosdp's peripheral device on the far end of a serial line. `told` is what it was commanded."""

    def __init__(self, link: Path, key: bytes | None, *, flags: int = 0) -> None:
        import osdp_sys

        self.osdp: Any = osdp_sys
        self.told: list[dict[str, Any]] = []
        osdp_sys.set_loglevel(osdp_sys.LOG_CRIT)
        self._far, near = os.openpty()
        tty.setraw(self._far)
        os.set_blocking(self._far, False)
        link.unlink(missing_ok=True)
        link.symlink_to(os.ttyname(near))
        self._near: int | None = near
        info = {"name": "wall", "address": 5, "flags": flags, "scbk": key, "channel": Line(self._far), "version": 1, "model": 1,
                "vendor_code": 1, "serial_number": 1, "firmware_version": 1}  # fmt: skip
        able = [osdp_sys.CAP_READER_LED_CONTROL, osdp_sys.CAP_READER_AUDIBLE_OUTPUT, osdp_sys.CAP_CONTACT_STATUS_MONITORING]
        able.append(osdp_sys.CAP_COMMUNICATION_SECURITY)
        capabilities = [{"function_code": code, "compliance_level": 1, "num_items": 1} for code in able]
        self.device: Any = osdp_sys.PeripheralDevice(info, capabilities=capabilities)
        self.device.set_command_callback(self._commanded)
        self._pulled = Event()
        self._events: list[dict[str, Any]] = []
        self._thread = Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._pulled.wait(0.005):
            self.device.refresh()
            while self._events and self.device.is_sc_active():
                self.device.submit_event(self._events.pop(0))

    def _commanded(self, command: dict[str, Any]) -> tuple[int, None]:
        self.told.append(command)
        return 0, None

    def reads(self, data: bytes, bits: int) -> None:
        self._events.append(
            {"event": self.osdp.EVENT_CARDREAD, "reader_no": 0, "format": 0, "direction": 0, "length": bits, "data": data}
        )

    def cover(self, *, opened: bool) -> None:
        report = bytes([opened, 0])
        self._events.append({"event": self.osdp.EVENT_STATUS, "type": self.osdp.STATUS_REPORT_LOCAL, "report": report})

    def pull(self) -> None:
        """Take the adapter out of its socket."""
        self._pulled.set()
        self._thread.join()
        os.close(self._far)
        if self._near is not None:
            os.close(self._near)


@contextmanager
def on_the_wall(folder: Path, key: bytes | None = KEY, *, flags: int = 0) -> Iterator[OnTheWall]:
    wall = OnTheWall(folder / "port", key, flags=flags)
    try:
        yield wall
    finally:
        wall.pull()


@contextmanager
def listening(folder: Path, key: bytes = KEY, **settings: Any) -> Iterator[tuple[OsdpReader, list[str]]]:
    said: list[str] = []
    port = Osdp(access_point="in", port=str(folder / "port"), key_file="key", address=5, baud_rate=115200, **settings)
    reader = OsdpReader(port, key, written_down(said), away_seconds=1.5)
    try:
        yield reader, said
    finally:
        reader.close()


@needs_libosdp
def test_a_card_is_a_tap_and_each_word_is_shown_at_the_reader(tmp_path: Path) -> None:
    """Under the shared key a number comes whole; granted is green, refused three red blinks with the buzzer."""
    with on_the_wall(tmp_path) as wall, listening(tmp_path) as (reader, said):
        wait_for(lambda: said == [f"reader OSDP 5 on {tmp_path / 'port'}"], "it is there")
        wall.reads(UID, 56)
        wall.reads(b"\x2f\x62\x3a\xe0", 26)
        wait_for(lambda: len(said) == 3, "the cards")
        assert said[1:] == ["tap 04782E21801D80 A0", "unreadable"]
        reader.show(Shown.GRANTED)
        wait_for(lambda: len(wall.told) == 1, "green")
        reader.show(Shown.REFUSED)
        wait_for(lambda: len(wall.told) == 3, "red")
        green, red, buzzer = wall.told
        assert (green["on_color"], red["on_color"]) == (wall.osdp.LED_COLOR_GREEN, wall.osdp.LED_COLOR_RED)
        assert (buzzer["command"], buzzer["rep_count"]) == (wall.osdp.CMD_BUZZER, 3)


@needs_libosdp
def test_an_opened_cover_is_told_and_told_no_more_when_it_is_closed(tmp_path: Path) -> None:
    """A reader that is taken off the wall needs a person."""
    with on_the_wall(tmp_path) as wall, listening(tmp_path) as (_, said):
        wall.cover(opened=True)
        wait_for(lambda: any(line.startswith("noticed reader_tamper True") for line in said), "the cover is open")
        wall.cover(opened=False)
        wait_for(lambda: said[-1] == "noticed reader_tamper False", "the cover is closed")


@needs_libosdp
@pytest.mark.parametrize("key", [OTHER, None, SCBK_D], ids=["another key", "no key", "the key that everybody knows"])
def test_a_reader_that_does_not_prove_its_key_is_not_heard(tmp_path: Path, key: bytes | None) -> None:
    """Neither with another key, nor in the clear, nor in install mode: it is away, and the reason says why."""
    import osdp_sys

    flags = osdp_sys.FLAG_INSTALL_MODE if key is None else 0
    with on_the_wall(tmp_path, key, flags=flags) as wall, listening(tmp_path) as (_, said):
        wall.reads(UID, 56)
        wait_for(lambda: said, "it is said")
        assert said == [f"reader None OSDP 5 on {tmp_path / 'port'} answers, but not under our key: pair it anew on the bench"]


@needs_libosdp
def test_an_adapter_pulled_and_put_back_heals_by_itself(tmp_path: Path) -> None:
    """It is away with the reason, back under the key, and the next card is a tap."""
    with listening(tmp_path) as (_, said):
        wait_for(lambda: said == [f"reader None {tmp_path / 'port'}: No such file or directory"], "it is not there")
        with on_the_wall(tmp_path):
            wait_for(lambda: len(said) == 2, "it is there")
        (tmp_path / "port").unlink()
        wait_for(lambda: said[2:3] == [f"reader None {tmp_path / 'port'}: unplugged"], "it is pulled")
        with on_the_wall(tmp_path) as wall:
            wall.reads(UID, 56)
            wait_for(lambda: said[-1] == "tap 04782E21801D80 A0", "the card")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "without its key no OSDP reader is heard"),
        (bytes(range(15)), "16 bytes, or 32 hex digits"),
        (SCBK_D, "a key that everybody knows"),
        (SCBK_D.hex().encode(), "a key that everybody knows"),
        (bytes(16), "a key that everybody knows"),
    ],
)
def test_a_reader_without_a_key_of_its_own_is_refused(tmp_path: Path, content: bytes | None, said: str) -> None:
    """The sentence names file and setting, and what is allowed."""
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    with pytest.raises(BadConfiguration, match=said) as raised:
        key_of(tmp_path / "door.toml", Osdp(access_point="in", port="/dev/x", key_file="key"))
    assert "door.toml: readers.key_file is 'key'" in str(raised.value)


def test_a_key_is_read_as_bytes_or_as_hex_digits(tmp_path: Path) -> None:
    """Both ways of writing it down are the same key."""
    settings = Osdp(access_point="in", port="/dev/x", key_file="key")
    (tmp_path / "key").write_bytes(KEY)
    assert key_of(tmp_path / "door.toml", settings) == KEY
    (tmp_path / "key").write_text(KEY.hex() + "\n")
    assert key_of(tmp_path / "door.toml", settings) == KEY
