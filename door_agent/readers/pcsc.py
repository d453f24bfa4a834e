# SPDX-License-Identifier: AGPL-3.0-or-later
"""PC/SC readers: our own loop over SCardGetStatusChange, which survives a restarted pcscd and a reader pulled and put back.

A tag left on the reader is one tap; one that gives no number is told as unreadable. pyscard's own monitor threads are not
used: they die with pcscd. A real door takes no virtual reader. A reader that is plugged in and answers nothing is told as deaf,
and pcscd is left alone for a while: as delivered it then ends, and opens the reader anew when we come back. We do not end
ourselves for it: that would mend nothing, and take a healthy second reader away.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from access_contract.vocabulary import Assurance, InvalidTagNumber, TagNumber
from door_agent.errors import MissingPart
from door_agent.readers.escapes import PROBE_SECONDS, Escapes
from door_agent.readers.port import Heard, Shown

_PNP = "\\\\?PnP?\\Notification"
_GET_UID = [0xFF, 0xCA, 0x00, 0x00, 0x00]
_POLL_MS = 1000
_AGAIN_SECONDS = 0.5
_TRIES = 3
_DEAF_SECONDS = 15.0
_SETTLES_SECONDS = 0.6
"""What lies on a reader when that comes back is seen within a poll of pcscd (400 ms) and is no tap: else every restart would
open for a tag that was left there. It has to be laid on anew. A pcscd that was up before us knows at once what lies there."""
_UNREADABLE_APART_SECONDS = 2.0
_REST_SECONDS = 65.0
"""pcscd ends after 60 seconds without a client (--auto-exit in its unit), and its socket starts it again."""
_REST_APART_SECONDS = 900.0
_UNREACHED_SECONDS = 3.0
_VIRTUAL = ("virtual pcd", "vpcd", "vpicc")


class _Gone(Exception):
    """pcscd or a reader went away, or needs a rest; the session starts again after `seconds`."""

    def __init__(self, why: str, seconds: float = _AGAIN_SECONDS) -> None:
        super().__init__(why)
        self.seconds = seconds


class PcscReader:
    """Tells from its own thread of each tag laid on a reader whose name begins with `name` (empty: any)."""

    def __init__(
        self,
        name: str,
        heard: Heard,
        *,
        virtual_allowed: bool,
        probe_seconds: float = PROBE_SECONDS,
        rest_seconds: float = _REST_SECONDS,
    ) -> None:
        """Raise MissingPart without pyscard."""
        try:
            from smartcard import scard
        except ImportError:
            raise MissingPart("readers.kind is 'pcsc', which needs pyscard: apt-get install python3-pyscard pcscd") from None
        self._scard: Any = scard
        self._name, self._heard, self._virtual_allowed = name, heard, virtual_allowed
        self._ended = threading.Event()
        self._polled_at = time.monotonic()
        self._unreadable_at = -_UNREADABLE_APART_SECONDS
        self._looked = False
        self._said: tuple[str | None, str] = (None, "not looked for yet")
        self._deaf: list[str] = []
        self._unreached_since: dict[str, float] = {}
        self._rest_seconds, self._rest_at = rest_seconds, 0.0
        self._tapped: str | None = None
        self._escapes = Escapes(scard, probe_seconds=probe_seconds)
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)
        self._thread.start()

    def is_alive(self) -> bool:
        """True while tags are looked for, whether or not a reader is there."""
        return time.monotonic() - self._polled_at < _DEAF_SECONDS

    def show(self, shown: Shown) -> None:
        """Show it at the reader that a tag was last laid on."""
        if self._tapped is not None:
            self._escapes.show(self._tapped, shown)

    def close(self) -> None:
        self._ended.set()
        self._escapes.close()
        self._thread.join(2 * _POLL_MS / 1000)

    def _run(self) -> None:
        while not self._ended.is_set():
            self._polled_at = time.monotonic()
            try:
                result, context = self._scard.SCardEstablishContext(self._scard.SCARD_SCOPE_SYSTEM)
                self._ok(result)
                try:
                    self._session(context)
                finally:
                    self._scard.SCardReleaseContext(context)
            except _Gone as gone:
                self._escapes.lost()
                self._moved(None, str(gone))
                self._wait(gone.seconds)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._ended.wait(min(left, 1.0)):
            self._polled_at = time.monotonic()

    def _session(self, context: Any) -> None:
        known: dict[str, int] = {}
        since: dict[str, float] = {}
        plugged = 0
        while not self._ended.is_set():
            self._polled_at = time.monotonic()
            everyone = self._everyone(context)
            names = [name for name in everyone if self._is_ours(name)]
            self._tell_of(everyone, names)
            self._tell_deaf(names, known)
            known = {name: known.get(name, self._scard.SCARD_STATE_UNAWARE) for name in names}
            since = {name: since.get(name, self._polled_at if self._looked else -_SETTLES_SECONDS) for name in names}
            self._looked = True
            result, states = self._scard.SCardGetStatusChange(context, _POLL_MS, [*known.items(), (_PNP, plugged)])
            if result == self._scard.SCARD_E_TIMEOUT:
                continue
            if result == self._scard.SCARD_E_UNKNOWN_READER:  # pulled between the two calls
                self._ended.wait(_AGAIN_SECONDS)
                continue
            self._ok(result)
            for name, event, _atr in states:
                if name == _PNP:  # its number is pcscd's own: of readers before version 2, of changes since
                    plugged = event & ~self._scard.SCARD_STATE_CHANGED
                else:
                    was, known[name] = known[name], event & ~self._scard.SCARD_STATE_CHANGED
                    if was & self._scard.SCARD_STATE_UNAVAILABLE:  # pcscd reaches it again
                        since[name] = time.monotonic()
                    lay_there = was == self._scard.SCARD_STATE_UNAWARE or time.monotonic() - since[name] < _SETTLES_SECONDS
                    if not lay_there:
                        self._changed(context, name, was, event)

    def _everyone(self, context: Any) -> list[str]:
        result, names = self._scard.SCardListReaders(context, [])
        if result == self._scard.SCARD_E_NO_READERS_AVAILABLE:
            return []
        self._ok(result)
        return list(names)

    def _is_ours(self, name: str) -> bool:
        """A reader's second slot for a security module always holds a card, and no tag."""
        virtual = any(word in name.lower() for word in _VIRTUAL)
        return name.startswith(self._name) and " SAM" not in name and (self._virtual_allowed or not virtual)

    def _tell_of(self, everyone: list[str], names: list[str]) -> None:
        if names:
            self._moved(", ".join(names), "")
        elif not everyone:
            self._moved(None, "no reader is plugged in")
        else:
            wanted = f"begins with {self._name!r}" if self._name else "may be used"
            self._moved(None, f"no reader's name {wanted}; there are: {', '.join(everyone)}")

    def _tell_deaf(self, names: list[str], known: dict[str, int]) -> None:
        """Say which readers answer nothing. If none is left that does, give pcscd its chance to open them anew."""
        self._escapes.attached(names)
        deaf = sorted({*self._escapes.deaf(), *self._unreached(names, known)})
        if deaf != self._deaf:
            self._deaf = deaf
            why = f"{', '.join(deaf)}: plugged in, and does not answer; unplug it and plug it in again" if deaf else ""
            self._heard.noticed("reader_deaf", bool(deaf), why)
        if deaf and len(deaf) == len(names) and time.monotonic() >= self._rest_at:
            self._rest_at = time.monotonic() + _REST_APART_SECONDS
            raise _Gone(f"{', '.join(deaf)} does not answer; pcscd is left alone, so that it starts anew", self._rest_seconds)

    def _unreached(self, names: list[str], known: dict[str, int]) -> list[str]:
        """Return those that pcscd itself has not reached for a while; one just pulled out is gone before that."""
        now = time.monotonic()
        unreached = [name for name in names if known.get(name, 0) & self._scard.SCARD_STATE_UNAVAILABLE]
        self._unreached_since = {name: self._unreached_since.get(name, now) for name in unreached}
        return [name for name in unreached if now - self._unreached_since[name] > _UNREACHED_SECONDS]

    def _changed(self, context: Any, name: str, was: int, event: int) -> None:
        present, mute = self._scard.SCARD_STATE_PRESENT, self._scard.SCARD_STATE_MUTE
        laid_on = bool(event & present) and (not was & present or bool((was ^ event) >> 16 & 0xFFFF))
        if laid_on:
            self._tapped = name
        if laid_on and event & mute:
            self._could_not_read()
        elif laid_on or (event & present and was & mute and not event & mute):
            self._read(context, name)

    def _read(self, context: Any, name: str) -> None:
        for _ in range(_TRIES):
            answer = self._uid(context, name)
            if answer[-2:] == b"\x90\x00":
                try:
                    number = TagNumber(answer[:-2])
                except InvalidTagNumber:
                    break
                self._escapes.is_well(name)
                self._heard.tapped(number, Assurance.A0)
                return
        self._could_not_read()

    def _uid(self, context: Any, name: str) -> bytes:
        """Return the reader's answer, or nothing if the tag was torn off meanwhile."""
        scard = self._scard
        protocols = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        result, card, protocol = scard.SCardConnect(context, name, scard.SCARD_SHARE_SHARED, protocols)
        if result:
            return b""
        try:
            result, answer = scard.SCardTransmit(card, protocol, _GET_UID)
        finally:
            scard.SCardDisconnect(card, scard.SCARD_LEAVE_CARD)
        return b"" if result else bytes(answer)

    def _could_not_read(self) -> None:
        """Tell of it, but not more often than a hand can tap: a tag at the edge of the field comes and goes."""
        now = time.monotonic()
        if now - self._unreadable_at >= _UNREADABLE_APART_SECONDS:
            self._unreadable_at = now
            self._heard.unreadable()

    def _ok(self, result: int) -> None:
        if result:
            code = result & 0xFFFFFFFF
            hint = "; the user needs the polkit rule of firmware_config" if code == 0x8010006A else ""
            raise _Gone(f"pcscd: {self._scard.SCardGetErrorMessage(result)} 0x{code:08X}{hint}")

    def _moved(self, name: str | None, why: str) -> None:
        """Once for each change, so that a missing pcscd fills neither log nor journal."""
        if (name, why) != self._said:
            self._said = (name, why)
            self._heard.moved(name, why)
