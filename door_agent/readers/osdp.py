# SPDX-License-Identifier: AGPL-3.0-or-later
"""A reader on an RS-485 line that speaks OSDP (IEC 60839-11-5), and only under its own key.

Nothing is heard from a reader that does not prove its key: no plain text, no install mode, no default key. The line is polled
from one thread; it is opened anew when the adapter was unplugged.
"""

from __future__ import annotations

import os
import select
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

from access_contract.vocabulary import Assurance, InvalidTagNumber
from door_agent.errors import BadConfiguration, MissingPart
from door_agent.readers.numbers import sent
from door_agent.readers.port import Heard, Shown
from door_agent.readers.serial import Line, opened
from door_agent.readers.settings import Osdp

_KEY_BYTES = 16
_DEFAULT_KEY = bytes(range(0x30, 0x40))
_TURN_SECONDS = 0.02
_AGAIN_SECONDS = 0.5
_AWAY_SECONDS = 5.0
_DEAF_SECONDS = 15.0
_ON = _TIMED = 2
"""Control codes of a buzzer's tone and of a lamp's temporary state; times are in 100 ms."""


def key_of(config_file: Path, settings: Osdp) -> bytes:
    """Return the reader's key: 16 bytes, or 32 hex digits. Raise BadConfiguration, also for a key that everybody knows."""
    file = config_file.parent / settings.key_file
    where = f"{config_file}: readers.key_file is {settings.key_file!r}"
    try:
        key = file.read_bytes()
    except OSError as error:
        raise BadConfiguration(
            f"{where}, which cannot be read ({error.strerror}); without its key no OSDP reader is heard"
        ) from None
    if len(key) != _KEY_BYTES:
        with suppress(ValueError):
            key = bytes.fromhex(key.decode("ascii", "replace"))
    if len(key) != _KEY_BYTES:
        raise BadConfiguration(f"{where}; it must hold {_KEY_BYTES} bytes, or {2 * _KEY_BYTES} hex digits")
    if key == _DEFAULT_KEY or len(set(key)) == 1:
        raise BadConfiguration(f"{where}, which holds a key that everybody knows; give the reader one of its own on the bench")
    return key


class OsdpReader:
    """Tells from its own thread of each card that the reader reads, and of its cover being opened."""

    def __init__(self, settings: Osdp, key: bytes, heard: Heard, *, away_seconds: float = _AWAY_SECONDS) -> None:
        """After `away_seconds` without a secure channel the reader is told as away. Raise MissingPart without libosdp."""
        try:
            import osdp_sys
        except ImportError:
            raise MissingPart("readers.kind is 'osdp', which needs libosdp: pip install 'hubkey[osdp]'") from None
        self._osdp: Any = osdp_sys
        self._settings, self._key, self._heard = settings, key, heard
        self._ended, self._away_seconds = Event(), away_seconds
        self._words: deque[Shown] = deque(maxlen=1)
        self._polled_at = self._online_at = time.monotonic()
        self._said: tuple[str | None, str] | None = None
        self._panel: Any = None
        self._tamper = False
        self._thread = Thread(target=self._run, name="reader", daemon=True)
        self._thread.start()

    def is_alive(self) -> bool:
        return time.monotonic() - self._polled_at < _DEAF_SECONDS

    def show(self, shown: Shown) -> None:
        self._words.append(shown)

    def close(self) -> None:
        self._ended.set()
        self._thread.join(2.0)

    # --- the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        self._osdp.set_loglevel(self._osdp.LOG_CRIT)
        while not self._ended.is_set():
            self._polled_at = time.monotonic()
            try:
                descriptor = opened(self._settings.port, self._settings.baud_rate)
            except OSError as error:
                self._moved(None, f"{self._settings.port}: {error.strerror}")
            else:
                try:
                    self._poll(Line(descriptor))
                finally:
                    os.close(descriptor)
            self._ended.wait(_AGAIN_SECONDS)

    def _poll(self, line: Line) -> None:
        """Poll the reader until told to end or the line is gone."""
        panel = self._panel = self._made(line)
        self._online_at = time.monotonic()
        while not self._ended.is_set() and not line.gone:
            self._polled_at = time.monotonic()
            select.select([line.descriptor], [], [], _TURN_SECONDS)
            panel.refresh()
            online = bool(panel.status() & panel.sc_status() & 1)
            self._tell_of(line, online=online)
            if online and self._words:
                for command in _commands(self._osdp, self._words.popleft()):
                    panel.submit_command(0, command)
        if line.gone:
            self._moved(None, f"{self._settings.port}: unplugged")

    def _made(self, line: Line) -> Any:
        reader = {
            "name": self._settings.access_point,
            "address": self._settings.address,
            "flags": self._osdp.FLAG_ENFORCE_SECURE,
            "scbk": self._key,
            "channel": line,
        }
        panel = self._osdp.ControlPanel([reader])
        panel.set_event_callback(self._event)
        return panel

    def _tell_of(self, line: Line, *, online: bool) -> None:
        if online:
            self._online_at = self._polled_at
            self._moved(f"OSDP {self._settings.address} on {self._settings.port}", "")
        elif self._polled_at - self._online_at > self._away_seconds:
            answers = self._polled_at - line.heard_at < self._away_seconds
            why = "answers, but not under our key: pair it anew on the bench" if answers else "does not answer"
            self._moved(None, f"OSDP {self._settings.address} on {self._settings.port} {why}")

    def _event(self, _reader: int, event: dict[str, Any]) -> int:
        if not self._panel.sc_status() & 1:  # nothing is heard from anybody who has not proved the key
            return -1
        if event["event"] == self._osdp.EVENT_CARDREAD:
            self._card(event)
        elif event["event"] == self._osdp.EVENT_STATUS and event["type"] == self._osdp.STATUS_REPORT_LOCAL:
            self._cover(opened=bool(event["report"][0]))
        return 0

    def _card(self, event: dict[str, Any]) -> None:
        data = event["data"]
        try:
            number = sent(
                data, event.get("length", len(data) * 8), self._settings.format, reversed_bytes=self._settings.reversed_bytes
            )
        except InvalidTagNumber:
            self._heard.unreadable()
        else:
            self._heard.tapped(number, Assurance.A0)

    def _cover(self, *, opened: bool) -> None:
        if opened is not self._tamper:
            self._tamper = opened
            self._heard.noticed("reader_tamper", opened, "the cover was opened, or it was taken off the wall" if opened else "")

    def _moved(self, name: str | None, why: str) -> None:
        if (name, why) != self._said:
            self._said = (name, why)
            self._heard.moved(name, why)


def _commands(osdp: Any, shown: Shown) -> list[dict[str, Any]]:
    """Green for a second; three red blinks with the buzzer; one long one."""
    if shown is Shown.GRANTED:
        return [_lamp(osdp, osdp.LED_COLOR_GREEN, on=10, off=0, together=10)]
    on, times = (2, 3) if shown is Shown.REFUSED else (5, 1)
    buzzer = {"command": osdp.CMD_BUZZER, "reader": 0, "control_code": _ON, "on_count": on, "off_count": 1, "rep_count": times}
    return [_lamp(osdp, osdp.LED_COLOR_RED, on=on, off=1, together=(on + 1) * times), buzzer]


def _lamp(osdp: Any, colour: int, *, on: int, off: int, together: int) -> dict[str, Any]:
    return {
        "command": osdp.CMD_LED,
        "reader": 0,
        "led_number": 0,
        "temporary": True,
        "control_code": _TIMED,
        "on_color": colour,
        "off_color": osdp.LED_COLOR_NONE,
        "on_count": on,
        "off_count": off,
        "timer_count": together,
    }
