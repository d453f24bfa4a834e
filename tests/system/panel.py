# SPDX-License-Identifier: AGPL-3.0-or-later
"""The door panel: a small page on loopback on which keytags are tapped, leaves opened, plugs pulled and the clock turned.

It stands in for hands, not for the system: it only moves what a person in the building could move, and shows the pins as the
doors tell them. It belongs to the demo, has no password, and answers nobody who came by another name than its own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Condition, Event, Thread
from types import TracebackType
from typing import Any, Self

from access_contract.vocabulary import TagNumber
from booking_server.ledger.service import Tap
from tests.system.building import Building
from tests.system.desk import Desk
from tests.system.door import Door
from tests.system.hub import FRONT, SPACES, ZONE, Hub
from tests.system.processes import NotReady, wait_for

FILES = Path(__file__).with_name("panel_files")
PAGES = {
    "/": ("panel.html", "text/html; charset=utf-8"),
    "/panel.css": ("panel.css", "text/css; charset=utf-8"),
    "/panel.js": ("panel.js", "text/javascript; charset=utf-8"),
}
STRANGER = TagNumber.parse("04D1E5A0C0FE80")
"""A keytag that the hub does not know."""
_TICK_SECONDS = 0.4
_ORDER_BYTES_MAX = 1000
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'"


@dataclass(frozen=True, slots=True)
class Reaction:
    """How a door last reacted to a tap, and, once the tap has `arrived` at the server, why and by whose word."""

    tapped_at: datetime
    granted: bool
    milliseconds: int
    arrived: bool = False
    reason: str | None = None
    by: str = ""


class Panel:
    """Serves the panel while it is open. `address` is where."""

    def __init__(self, building: Building, desk: Desk, hub: Hub) -> None:
        self._building, self._desk = building, desk
        self._names = {FRONT: ("Front door", "Leppävaara")} | {plan.door: (plan.name, plan.site) for plan in SPACES}
        self._keytags = {str(place): member for place, member in enumerate(hub.members)}
        self._reactions: dict[str, Reaction] = {}
        self._version, self._changed, self._ended = 0, Condition(), Event()
        for door in building.doors.values():
            door.pins.on_change(self.change)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Pages", (_Pages,), {"panel": self}))
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        for name, work in (("panel", self._server.serve_forever), ("panel-tick", self._tick)):
            Thread(target=work, name=name, daemon=True).start()

    def close(self) -> None:
        self._ended.set()
        self.change()
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    # --- what is seen ---

    def change(self) -> None:
        """Have every open page told."""
        with self._changed:
            self._version += 1
            self._changed.notify_all()

    def wait_for_change(self, seen: int) -> int | None:
        """Return the next version after `seen`; None once the panel is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._version != seen or self._ended.is_set(), timeout=15)
            return None if self._ended.is_set() else self._version

    def state(self) -> dict[str, object]:
        """Everything the page shows."""
        now = self._building.hand.now().astimezone(ZONE)
        return {
            "clock": f"{now:%Y-%m-%dT%H:%M:%S}",
            "month_end": f"{_month_end(now):%Y-%m-%dT%H:%M}",
            "broker": self._building.broker_is_up,
            "pages": self._building.web_address,
            "reading": self._building.room is not None,
            "keytags": [*self._members(), {"id": "stranger", "name": "Found in the street", "digits": _digits(STRANGER)}],
            "doors": [self._door(self._building.doors[door_id]) for door_id in self._names],
        }

    def _members(self) -> list[dict[str, str]]:
        return [{"id": key, "name": one.name, "digits": _digits(one.number)} for key, one in self._keytags.items()]

    def _door(self, door: Door) -> dict[str, object]:
        name, site = self._names[door.id]
        pins = {pin: door.pins.is_on(pin) for pin in ("relay", "granted", "refused", "contact")}
        last = self._reactions.get(door.id)
        shown = None if last is None else {key: value for key, value in asdict(last).items() if key != "tapped_at"}
        return {"id": door.id, "name": name, "site": site, "plugged": door.plug.is_in, "last": shown, **pins}

    def _tick(self) -> None:
        """The clock goes on, and taps that reached the server are matched with what was seen at the door."""
        while not self._ended.wait(_TICK_SECONDS):
            for tap in self._desk.taps(40):
                self._arrived(tap)
            self.change()

    def _arrived(self, tap: Tap) -> None:
        last = self._reactions.get(tap.door_id)
        if last is not None and not last.arrived and tap.at >= last.tapped_at:
            self._reactions[tap.door_id] = replace(last, arrived=True, reason=tap.reason, by=tap.decided_by)

    # --- what is done ---

    def do(self, order: dict[str, Any]) -> None:
        """Carry out what was clicked. Raise NotReady with a sentence for the page; KeyError for nonsense."""
        what: dict[str, Callable[[dict[str, Any]], None]] = {
            "tap": self._tap,
            "leaf": self._leaf,
            "exit": lambda order: self._building.doors[order["door"]].press_exit(),
            "plug": self._plug,
            "broker": self._broker,
            "clock": self._clock,
        }
        what[order["do"]](order)
        self.change()

    def _tap(self, order: dict[str, Any]) -> None:
        door = self._building.doors[order["door"]]
        number = STRANGER if order["keytag"] == "stranger" else self._keytags[order["keytag"]].number
        tapped_at, since = self._building.hand.now(), time.monotonic()
        door.tap(number)
        lamp = wait_for(
            lambda: next(iter([*door.pins.rises("granted", since), *door.pins.rises("refused", since)]), None),
            f"{self._names[door.id][0]} reacts",
            limit_seconds=4,
        )
        self._reactions[door.id] = Reaction(tapped_at, lamp.pin == "granted", round((lamp.at - since) * 1000))

    def _leaf(self, order: dict[str, Any]) -> None:
        door = self._building.doors[order["door"]]
        door.open_leaf() if order["open"] else door.close_leaf()

    def _plug(self, order: dict[str, Any]) -> None:
        plug = self._building.doors[order["door"]].plug
        plug.put_back() if order["in"] else plug.pull()

    def _broker(self, order: dict[str, Any]) -> None:
        if order["up"] and not self._building.broker_is_up:
            self._building.restore_broker()
        elif not order["up"] and self._building.broker_is_up:
            self._building.cut_broker()

    def _clock(self, order: dict[str, Any]) -> None:
        now = self._building.hand.now().astimezone(ZONE)
        to = {"hour": now + timedelta(hours=1), "day": now + timedelta(days=1), "month": _month_end(now)}[order["to"]]
        self._building.hand.turn_to(to)


def _digits(number: TagNumber) -> str:
    return number.uid.hex().upper()[-4:]


def _month_end(now: datetime) -> datetime:
    """Nine in the morning on the first of the next month."""
    return (now.replace(day=1) + timedelta(days=32)).replace(day=1, hour=9, minute=0, second=0, microsecond=0)


class _Pages(BaseHTTPRequestHandler):
    """The panel over HTTP: its three files, its state as it changes, and the orders of its buttons."""

    panel: Panel
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if not self._own_name():
            self._answer(403, b"", "text/plain")
        elif self.path in PAGES:
            name, kind = PAGES[self.path]
            self._answer(200, (FILES / name).read_bytes(), kind)
        elif self.path == "/live":
            self._stream()
        else:
            self._answer(404, b"", "text/plain")

    def do_POST(self) -> None:
        """Only our own page can send JSON here: another site's would have to ask first, and is never answered."""
        length = int(self.headers.get("Content-Length") or 0)
        asked_well = self.path == "/do" and self.headers.get("Content-Type") == "application/json"
        if not self._own_name() or not asked_well or length > _ORDER_BYTES_MAX:
            self.close_connection = True
            self._answer(403, b"", "text/plain")
            return
        try:
            self.panel.do(json.loads(self.rfile.read(length)))
        except NotReady as problem:
            self._answer(409, str(problem).splitlines()[0].encode(), "text/plain; charset=utf-8")
        except (KeyError, TypeError, ValueError):
            self._answer(400, b"this panel has no such button", "text/plain; charset=utf-8")
        else:
            self._answer(204, b"", "text/plain")

    def _own_name(self) -> bool:
        return f"http://{self.headers.get('Host', '')}" == self.panel.address

    def _stream(self) -> None:
        self.close_connection = True
        self._head(200, "text/event-stream")
        self.end_headers()
        seen = -1
        try:
            while (version := self.panel.wait_for_change(seen)) is not None:
                seen = version
                self.wfile.write(b"data: " + json.dumps(self.panel.state()).encode() + b"\n\n")
                self.wfile.flush()
        except OSError:
            return

    def _head(self, status: int, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")

    def _answer(self, status: int, content: bytes, kind: str) -> None:
        self._head(status, kind)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """The panel is quiet."""
