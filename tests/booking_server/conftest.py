# SPDX-License-Identifier: AGPL-3.0-or-later
"""A database of its own for each test, made by the migrations, on SQLite and on PostgreSQL.

The migrations run once for each engine; every test gets a copy.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from booking_server import schema
from booking_server.actors import Actor
from booking_server.db import Database
from booking_server.keys import make_keys
from tests.booking_server.hub import Hub, StillClock, make_hub, sign_aino_up
from tests.system import parts
from tests.system.desk import Desk
from tests.system.postgres import Cluster, cluster

ENGINES = ("sqlite", "postgresql")


@dataclass(frozen=True, slots=True)
class Template:
    """A PostgreSQL cluster, and the database in it that the others are copied from."""

    cluster: Cluster
    name: str


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    if parts.postgres_bin() is None:
        pytest.skip(parts.missing("PostgreSQL"))
    with cluster() as running:
        yield running


@pytest.fixture(scope="session")
def postgres_template(postgres: Cluster) -> Template:
    name = postgres.create()
    _migrate(postgres.url(name))
    return Template(postgres, name)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "hub.sqlite"
    _migrate(f"sqlite:///{file}")
    return file


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh database, for tests that open it from several processes."""
    if request.param == "sqlite":
        yield f"sqlite:///{shutil.copy(request.getfixturevalue('sqlite_template'), tmp_path / 'hub.sqlite')}"
        return
    template: Template = request.getfixturevalue("postgres_template")
    name = template.cluster.create(template=template.name)
    yield template.cluster.url(name)
    template.cluster.drop(name)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A fresh database, opened."""
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Desk:
    """Staff at a hub without anything yet, at `hub.NOW`."""
    return Desk(database, make_keys(tmp_path / "state"), StillClock())


@pytest.fixture
def hub(desk: Desk) -> Hub:
    """The small hub of `tests.booking_server.hub`."""
    return make_hub(desk)


@pytest.fixture
def member(hub: Hub) -> Actor:
    """Aino, signed in."""
    return sign_aino_up(hub)


def _migrate(url: str) -> None:
    database = Database(url)
    schema.upgrade(database)
    database.close()
