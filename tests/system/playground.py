# SPDX-License-Identifier: AGPL-3.0-or-later
"""The demo to play with: the small hub of hub.py in the building, with a panel to tap, unplug and turn the clock.

It runs until it is stopped, or until a part ends by itself, which it then says.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from threading import Event

from booking_server.clock import SystemClock
from tests.system.building import Building
from tests.system.desk import Desk
from tests.system.hub import FRONT, SPACES, ZONE, Hub, book_month, make_hub, past_use, write_journal
from tests.system.panel import Panel
from tests.system.processes import NotReady, wait_for

DOORS = (FRONT, *(plan.door for plan in SPACES))
_LOOK_SECONDS = 1.0


def stay(readers: Callable[..., tuple[str, ...]], say: Callable[[str], None]) -> None:
    """Build the hub, open the panel, say where everything is, and stay. Raise NotReady; KeyboardInterrupt on Ctrl-C."""
    real = readers(*DOORS)
    now = SystemClock().now()
    first = (now.astimezone(ZONE).date().replace(day=1) - timedelta(days=1)).replace(day=1)
    password = secrets.token_urlsafe(9)
    with Building(at=_morning(first), readers=real) as building:
        desk, hub = _furnish(building, password, first, now, say)
        with Panel(building, desk, hub) as panel:
            for line in _where(building, panel, password, real=bool(real)):
                say(line)
            _until_stopped(building)


def _furnish(building: Building, password: str, first: date, now: datetime, say: Callable[[str], None]) -> tuple[Desk, Hub]:
    say("making a hub: two sites, six spaces, seven doors, twelve members")
    building.command("init")
    building.command("account", "add", "host", "--role", "administrator", "--password-stdin", stdin=f"{password}\n")
    desk = building.desk()
    hub = make_hub(desk, first)
    book_month(desk, building.hand, hub, first, now.astimezone(ZONE).date())
    building.hand.turn_to(now)
    say("starting broker, server and doors")
    building.start_servers()
    desk.leave_old_mail()
    building.start_mail()
    building.doors_made(*DOORS, start=False, by_command=False)
    taps = sum(write_journal(building.doors[door].folder, door, past_use(hub, first, now)) for door in DOORS)
    for door in building.doors.values():
        door.start()
    say(f"the doors send what they kept: {taps} taps since {first:%d.%m.%Y}")
    wait_for(lambda: len(desk.taps(taps)) == taps, "every tap of the past reaches the server", limit_seconds=60)
    return desk, hub


def _morning(day: date) -> datetime:
    return datetime.combine(day, time(7), tzinfo=ZONE).astimezone(UTC)


def _where(building: Building, panel: Panel, password: str, *, real: bool) -> list[str]:
    return [
        "",
        f"  door panel   {panel.address}",
        f"  staff pages  {building.web_address}   sign in as host, password {password}",
        f"  mail         {building.mail_folder}   one file for each",
        f"  readers      {'the real pcscd, with virtual readers' if real else 'simulated'}",
        "",
        "Tap a keytag on the panel and watch it arrive on the page Today. Ctrl-C stops everything.",
    ]


def _until_stopped(building: Building) -> None:
    pause = Event()
    while True:
        pause.wait(_LOOK_SECONDS)
        if fault := building.fault():
            raise NotReady(fault)
