# SPDX-License-Identifier: AGPL-3.0-or-later
"""PC/SC readers: our own loop over SCardGetStatusChange, which survives a restarted pcscd and a reader pulled and put back.

A tag left on the reader is one tap. pyscard's own monitor threads are not used: they die with pcscd.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import structlog

from access_contract.vocabulary import InvalidTagNumber, TagNumber
from door_agent.errors import MissingPart

_log = structlog.get_logger("reader")
_PNP = "\\\\?PnP?\\Notification"
_GET_UID = [0xFF, 0xCA, 0x00, 0x00, 0x00]
_POLL_MS = 1000


class _Gone(Exception):
    """pcscd or a reader went away; the session starts again."""


class PcscReader:
    """Calls `tapped` from its own thread, once for each time a tag is laid on a reader called `name` (empty: any)."""

    def __init__(self, name: str, tapped: Callable[[TagNumber], None]) -> None:
        """Raise MissingPart without pyscard."""
        try:
            from smartcard import scard
        except ImportError:
            raise MissingPart("readers.kind is 'pcsc', which needs pyscard: apt-get install python3-pyscard pcscd") from None
        self._scard: Any = scard
        self._name, self._tapped = name, tapped
        self._ended = threading.Event()
        self._said = ""
        threading.Thread(target=self._run, name="reader", daemon=True).start()

    def close(self) -> None:
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                result, context = self._scard.SCardEstablishContext(self._scard.SCARD_SCOPE_SYSTEM)
                self._ok(result)
                try:
                    self._session(context)
                finally:
                    self._scard.SCardReleaseContext(context)
            except _Gone as gone:
                self._say(str(gone))
                self._ended.wait(0.5)

    def _session(self, context: Any) -> None:
        known: dict[str, int] = {}
        while not self._ended.is_set():
            names = self._names(context)
            known = {name: known.get(name, self._scard.SCARD_STATE_UNAWARE) for name in names}
            result, states = self._scard.SCardGetStatusChange(context, _POLL_MS, [*known.items(), (_PNP, len(names) << 16)])
            if result in (self._scard.SCARD_E_TIMEOUT, self._scard.SCARD_E_UNKNOWN_READER):
                continue
            self._ok(result)
            for name, event, _atr in states:
                if name != _PNP:
                    was, known[name] = known[name], event & ~self._scard.SCARD_STATE_CHANGED
                    if self._is_new(was, event):
                        self._read(context, name)

    def _names(self, context: Any) -> list[str]:
        result, names = self._scard.SCardListReaders(context, [])
        if result == self._scard.SCARD_E_NO_READERS_AVAILABLE:
            return []
        self._ok(result)
        return [name for name in names if self._name in ("", name)]

    def _is_new(self, was: int, event: int) -> bool:
        present = self._scard.SCARD_STATE_PRESENT
        if not event & present or event & self._scard.SCARD_STATE_MUTE:
            return False
        return not was & present or bool((was ^ event) >> 16 & 0xFFFF)

    def _read(self, context: Any, name: str) -> None:
        scard = self._scard
        protocols = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        result, card, protocol = scard.SCardConnect(context, name, scard.SCARD_SHARE_SHARED, protocols)
        if result:
            return  # torn off before it could be read: the next tap is another
        try:
            result, answer = scard.SCardTransmit(card, protocol, _GET_UID)
        finally:
            scard.SCardDisconnect(card, scard.SCARD_LEAVE_CARD)
        if result or bytes(answer[-2:]) != b"\x90\x00":
            self._say(f"{name}: a tag could not be read")
            return
        self._said = ""
        try:
            self._tapped(TagNumber(bytes(answer[:-2])))
        except InvalidTagNumber as error:
            self._say(f"{name}: {error}")

    def _ok(self, result: int) -> None:
        if result:
            raise _Gone(f"0x{result & 0xFFFFFFFF:08X} {self._scard.SCardGetErrorMessage(result)}")

    def _say(self, trouble: str) -> None:
        """Once for each change, so that a missing pcscd does not fill the log."""
        if trouble != self._said:
            self._said = trouble
            _log.warning("reader", trouble=trouble)
