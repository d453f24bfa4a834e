# SPDX-License-Identifier: AGPL-3.0-or-later
"""A school with accounts of its own: a real OpenID Connect provider on a loopback port, and a hub that lets its people in.

The provider is a package of the npm registry, pinned with its hashes in provider/ and installed once below .parts. Without
node, npm or the registry the tests that need it are skipped, and say why.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from werkzeug.serving import make_server

from booking_server.clock import Clock, SystemClock
from booking_server.config import Config, Federated, SignIn, Web
from booking_server.db import Database
from booking_server.keys import make_keys
from booking_server.web.app import create_app
from tests.system import parts
from tests.system.desk import Desk
from tests.system.processes import Child, Processes, answers, free_port
from tests.system.visitor import Page, Visitor

NODE = 20
PROVIDER = Path(__file__).with_name("provider")
NAME, CLIENT, SECRET = "Omnia", "hub", "known to both"
GROUPS = {"staff-hosts": "host", "caretakers-espoo": "caretaker@Espoo", "it": "administrator", "lost": "host@Nowhere"}


def node_modules() -> Path:
    """Return the folder with the provider's packages, installed by their hashes. Skips the test where they cannot be had."""
    if not _has_node():
        pytest.skip(f"node {NODE} or later with npm is not on this machine")
    lock = (PROVIDER / "package-lock.json").read_bytes()
    folder = parts.UNPACKED / f"provider-{hashlib.sha256(lock).hexdigest()[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not (folder / "ready").exists():
            _install(folder)
    return folder / "node_modules"


def _has_node() -> bool:
    if not all(shutil.which(name, path=parts.search_path()) for name in ("node", "npm")):
        return False
    said = subprocess.run(["node", "--version"], env=parts.environment(), capture_output=True, text=True, check=False).stdout
    return int(said.lstrip("v").partition(".")[0] or 0) >= NODE


def _install(folder: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PROVIDER / name, folder / name)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--fetch-timeout=15000"]
    done = subprocess.run(command, cwd=folder, env=parts.environment(), capture_output=True, text=True, timeout=90, check=False)
    if done.returncode:
        pytest.skip(f"the npm registry gives no oidc-provider: {done.stderr.strip()[-200:]}")
    (folder / "ready").touch()


@dataclass(slots=True)
class School:
    """The provider of a school. `people` are its accounts with their claims; any password is right."""

    processes: Processes
    port: int
    folder: Path
    child: Child | None = None

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def knows(self, **people: Mapping[str, Any]) -> None:
        """Let the school have just these accounts from now on."""
        (self.folder / "people.json").write_text(json.dumps(people), encoding="utf-8")

    def open(self) -> None:
        """Start it."""
        self.knows()
        command = ["node", PROVIDER / "provider.js", str(self.port), self.folder / "people.json"]
        environment = {"NODE_MODULES": str(node_modules())}
        self.child = self.processes.start("provider", [str(word) for word in command], environment=environment)
        self.child.wait_until(lambda: answers(self.port), limit_seconds=30)

    def close(self) -> None:
        """End it, as when the school's server is down."""
        if self.child is not None:
            self.processes.forget(self.child)
            self.child.stop()
            self.child = None


@contextmanager
def school(folder: Path) -> Iterator[School]:
    """Make a school, and open it."""
    folder.mkdir(parents=True, exist_ok=True)
    with Processes(folder / "logs") as processes:
        made = School(processes, free_port(), folder)
        made.open()
        yield made


@dataclass(frozen=True, slots=True)
class Hub:
    """The pages of a hub that lets the school's people in, and the desk that works on the same database."""

    desk: Desk
    address: str
    school: School

    def comes(self, who: str, visitor: Visitor | None = None) -> Page:
        """Let somebody press the school's button and sign in on the school's own pages; return where that leads."""
        visitor = visitor or Visitor(self.address)
        page = visitor.see(link(visitor.see("/sign-in"), f"Sign in with {NAME}"))
        return allow(visitor, page, who)


def link(page: Page, label: str) -> str:
    """Return where the link with this label leads."""
    return next(where for where, shown in page.links if shown == label)


def allow(visitor: Visitor, page: Page, who: str) -> Page:
    """Sign in on the school's page as `who`, and allow the hub to hear of it; return where that leads."""
    page = visitor.post(page, page.path, login=who, password="any")
    for _ in range(3):
        if page.words.startswith("Submitting Callback"):  # what a script does: the school ends the session of somebody else
            page = visitor.post(page, "")
        elif "/interaction/" in page.path:
            page = visitor.post(page, page.path)
    return page


@contextmanager
def hub(database: Database, folder: Path, school: School, *, clock: Clock | None = None, **settings: Any) -> Iterator[Hub]:
    """Serve the pages of a hub with the school in its settings; `settings` are others of `sign_in.federated` than usual."""
    (folder / "secret").write_text(settings.pop("secret", SECRET), encoding="utf-8")
    port = free_port()
    usual: dict[str, Any] = {"issuer": school.issuer, "client_id": CLIENT, "name": NAME, "roles": GROUPS}
    usual["client_secret_file"] = str(folder / "secret")
    demo = settings.pop("demo", True)
    config = Config(
        database="",
        state_folder=str(folder / "state"),
        language="en",
        demo=demo,
        web=Web(secure_cookies=False, port=port),
        sign_in=SignIn(federated=Federated(**{**usual, **settings})),
    )
    desk = Desk(database, make_keys(folder / "state"), clock or SystemClock())
    server = make_server("127.0.0.1", port, create_app(database, config, desk.keys, desk.clock), threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Hub(desk, f"http://127.0.0.1:{port}", school)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
