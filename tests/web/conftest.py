# SPDX-License-Identifier: AGPL-3.0-or-later
"""A hub's pages, twice: as a Flask app at a standing clock, and as the real process that a browser can reach."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from booking_server import schema
from booking_server.accounts import service as accounts
from booking_server.actors import COMMAND_LINE, Role
from booking_server.clock import SystemClock
from booking_server.config import Config, SignIn, Web
from booking_server.db import Database
from booking_server.keys import make_keys
from booking_server.web.app import create_app
from tests.booking_server.hub import PASSWORD, StillClock
from tests.system.desk import Desk
from tests.system.processes import Child, Processes, answers, free_port
from tests.system.settings_file import write_settings
from tests.system.visitor import Visitor

SERVER = Path(sys.executable).with_name("booking-server")
ADMINISTRATOR, HOST, BILLING, MEMBER = "anna", "heikki", "birgit", "mikko"
ROLES = {ADMINISTRATOR: Role.ADMINISTRATOR, HOST: Role.HOST, BILLING: Role.BILLING, MEMBER: Role.MEMBER}


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with an account of each role, and nothing else."""
    file = tmp_path_factory.mktemp("empty") / "hub.sqlite"
    database = Database(f"sqlite:///{file}")
    schema.upgrade(database)
    with database.write() as tx:
        for name, role in ROLES.items():
            accounts.add_account(
                tx, COMMAND_LINE, now=StillClock().now(), sign_in_name=name, name=name.title(), role=role, password=PASSWORD
            )
    database.close()
    return file


@pytest.fixture
def desk(empty_database: Path, tmp_path: Path) -> Iterator[Desk]:
    """Staff at a hub without anything, at a standing clock."""
    database = Database(f"sqlite:///{shutil.copy(empty_database, tmp_path / 'still.sqlite')}")
    yield Desk(database, make_keys(tmp_path / "still"), StillClock())
    database.close()


@pytest.fixture
def app(desk: Desk, tmp_path: Path) -> Flask:
    """The pages of `desk`, as they are served over HTTPS."""
    config = Config(database="", state_folder=str(tmp_path), language="en", sign_in=SignIn(second_factor="nobody"))
    return create_app(desk.database, config, desk.keys, desk.clock)


@pytest.fixture
def open_app(desk: Desk, tmp_path: Path) -> Flask:
    """The pages of `desk` as a demo serves them, without HTTPS."""
    config = Config(database="", state_folder=str(tmp_path), language="en", demo=True, web=Web(secure_cookies=False))
    return create_app(desk.database, config, desk.keys, desk.clock)


def signed_in(app: Flask, name: str = ADMINISTRATOR) -> FlaskClient:
    """Return a client of `app` in which somebody signed in through the form."""
    client = app.test_client()
    client.get("/sign-in", base_url="https://hub.example")
    token = csrf(client)
    answer = client.post(
        "/sign-in",
        data={"csrf_token": token, "sign_in_name": name, "password": PASSWORD},
        base_url="https://hub.example",
        headers={"Referer": "https://hub.example/sign-in"},
    )
    assert answer.status_code == 303, answer.text
    return client


def csrf(client: FlaskClient, path: str = "/sign-in") -> str:
    """Return the token that the page at `path` carries."""
    page = client.get(path, base_url="https://hub.example", follow_redirects=True).text
    return page.split('name="csrf_token" value="')[1].split('"')[0]


@dataclass(frozen=True, slots=True)
class Served:
    """Pages at an address, and the desk that works on the same database."""

    desk: Desk
    address: str
    child: Child | None = None

    def visitor(self, name: str = ADMINISTRATOR) -> Visitor:
        """Return a browser without JavaScript, signed in."""
        visitor = Visitor(self.address)
        page = visitor.sign_in(name, PASSWORD)
        assert page.path == "/", page.words
        return visitor


@pytest.fixture
def served(empty_database: Path, tmp_path: Path) -> Iterator[Served]:
    """The pages of an empty hub, in English, at the machine's own time; without the event stream."""
    database = Database(f"sqlite:///{shutil.copy(empty_database, tmp_path / 'hub.sqlite')}")
    desk = Desk(database, make_keys(tmp_path / "state"), SystemClock())
    config = Config(database="", state_folder=str(tmp_path / "state"), language="en", demo=True, web=Web(secure_cookies=False))
    server = make_server("127.0.0.1", 0, create_app(database, config, desk.keys, desk.clock), threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield Served(desk, f"http://127.0.0.1:{server.port}")
    server.shutdown()
    thread.join()
    server.server_close()
    database.close()


@pytest.fixture
def running(empty_database: Path, tmp_path: Path) -> Iterator[Served]:
    """`booking-server web` itself, over an empty hub."""
    with run(empty_database, tmp_path) as served:
        yield served


@contextmanager
def run(empty_database: Path, folder: Path) -> Iterator[Served]:
    """Run `booking-server web` over an empty hub in `folder`."""
    port, url = free_port(), f"sqlite:///{shutil.copy(empty_database, folder / 'hub.sqlite')}"
    keys, database = make_keys(folder / "state"), Database(url)
    settings = write_server(folder, url, port)
    with Processes(folder / "logs") as processes:
        child = processes.start("web", [SERVER, "--config", settings, "web"])
        child.wait_until(lambda: "ready" in child.said() and answers(port), limit_seconds=60)
        yield Served(Desk(database, keys, SystemClock()), f"http://127.0.0.1:{port}", child)
    database.close()


def write_server(folder: Path, url: str, port: int) -> Path:
    """Write the settings of a demo's web process and return the file."""
    web = {"port": port, "secure_cookies": False}
    settings = {"database": url, "state_folder": str(folder / "state"), "demo": True, "language": "en", "web": web}
    write_settings(folder / "server.toml", settings)
    return folder / "server.toml"
