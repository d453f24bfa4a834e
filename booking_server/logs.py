# SPDX-License-Identifier: AGPL-3.0-or-later
"""How a process of the server logs: one JSON object a line, on standard output, and nothing of a person in it.

No name, mail address, sign-in name, tag number or tag hash is ever written: who acted is an account's number, from where is a
network and not a machine. An exception tells its kind and where it came from, never its message or its values, for these may
hold what somebody typed. What is written is escaped, so that no input can begin a line of its own.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import MutableMapping
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from types import TracebackType
from typing import Any

import structlog
from prometheus_client import Counter

from booking_server.config import BadConfiguration

FRAMES_MAX = 12
_HERE = Path(__file__).parent.parent
SECURITY_EVENTS = Counter(
    "hubkey_security_events", "What concerns the hub's safety, by the word that the log has for it.", ["what"]
)
_log = structlog.get_logger()


class Security(StrEnum):
    """What whoever watches over the hub wants to hear of: the words that stand as `security` in the log."""

    SIGNED_IN = "signed_in"
    SIGN_IN_FAILED = "sign_in_failed"
    SIGN_IN_THROTTLED = "sign_in_throttled"
    SIGNED_OUT = "signed_out"
    CONFIRMED = "confirmed"
    NOT_ALLOWED = "not_allowed"
    FORM_REFUSED = "form_refused"


def write_lines() -> None:
    """Set this process's log up, for its libraries' warnings and for whatever ends one of its threads too."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_values,
            structlog.processors.JSONRenderer(),
        ],
        cache_logger_on_first_use=True,
    )
    logging.captureWarnings(capture=True)
    logging.root.handlers[:] = [_Libraries(logging.WARNING)]
    sys.excepthook = _ended
    threading.excepthook = lambda ended: _thread_ended(ended.exc_value, ended.thread)


def security(what: Security, *, account: int | None = None, address: str | None = None, **detail: str | int) -> None:
    """Log what concerns the hub's safety: of which account, from which network. `detail` holds nothing of a person."""
    SECURITY_EVENTS.labels(what.value).inc()
    _log.warning("security", security=what.value, account=account, network=network_of(address), **detail)


def network_of(address: str | None) -> str | None:
    """Return the network of an address, which many share: enough to see from where, too little to tell who."""
    try:
        found = ip_address(address or "")
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return str(ip_network((found, 24 if isinstance(found, IPv4Address) else 48), strict=False))


def told(error: BaseException) -> dict[str, Any]:
    """Return what may be written of an exception: its kind and where it came from, and the same of what caused it."""
    said: dict[str, Any] = {
        "kind": f"{type(error).__module__}.{type(error).__qualname__}",
        "where": _where(error.__traceback__),
    }
    if (sentence := _sentence(error)) is not None:
        said["said"] = sentence
    cause = getattr(error, "orig", None) or error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if isinstance(cause, BaseException) and cause is not error:
        said["cause"] = told(cause)
    return said


def _sentence(error: BaseException) -> str | None:
    """Settings, files and code are the hub's own, and databases have codes without values; any other sentence stays out."""
    if isinstance(error, BadConfiguration | TypeError | AttributeError | NameError | ImportError):
        return str(error)
    if isinstance(error, OSError):
        return error.strerror
    for code in ("sqlite_errorname", "sqlstate"):
        if isinstance(found := getattr(error, code, None), str):
            return found
    return None


def _where(trace: TracebackType | None) -> list[str]:
    frames = traceback.extract_tb(trace)[-FRAMES_MAX:]
    return [f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames]


def _short(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(_HERE)) if path.is_relative_to(_HERE) else "/".join(path.parts[-2:])


def _without_values(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace an exception by what may be told of it."""
    found = line.pop("exc_info", None)
    error = sys.exc_info()[1] if found is True else found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        line["error"] = told(error)
    return line


class _Libraries(logging.Handler):
    """Writes what a library warns of: its words as its author wrote them, without what was filled into them."""

    def emit(self, record: logging.LogRecord) -> None:
        words = record.msg if isinstance(record.msg, str) and record.args else ""
        line = _log.error if record.levelno >= logging.ERROR else _log.warning
        line(
            "library", library=record.name, words=words or None, at=f"{record.module}:{record.lineno}", exc_info=record.exc_info
        )


def _ended(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        _log.critical("ended_by_a_bug", exc_info=error)


def _thread_ended(error: BaseException | None, thread: threading.Thread | None) -> None:
    _log.critical("thread_ended_by_a_bug", thread=thread.name if thread else None, exc_info=error)
