# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does the tests' own PostgreSQL come up alone, and leave nothing behind, whatever ends it?"""

import signal
import sys
from pathlib import Path

import psycopg
import pytest

from tests.system import parts
from tests.system.postgres import Cluster, cluster
from tests.system.processes import Processes, wait_for

_RUN = """
from tests.system.postgres import cluster
with cluster() as running:
    print(running.socket_folder, flush=True)
    input()
"""


@pytest.fixture(autouse=True)
def _postgres_is_here() -> None:
    if parts.postgres_bin() is None:
        pytest.skip(parts.missing("PostgreSQL"))


def _connected(running: Cluster, name: str) -> psycopg.Connection:
    return psycopg.connect(host=str(running.socket_folder), user="postgres", dbname=name)


def test_databases_come_and_go_and_the_cluster_with_its_folder() -> None:
    """A copy has what its template has; afterwards neither socket nor data are there."""
    with cluster() as running:
        template = running.create()
        with _connected(running, template) as connection:
            connection.execute("create table kept as select 7 as number")
        copy = running.create(template=template)
        with _connected(running, copy) as connection:
            assert connection.execute("select number from kept").fetchone() == (7,)
        assert b"CREATE TABLE public.kept" in running.dump(template)
        running.drop(copy)
        with pytest.raises(psycopg.OperationalError):
            _connected(running, copy)
    assert not running.socket_folder.exists()


def test_what_a_killed_run_left_is_swept_by_the_next(tmp_path: Path) -> None:
    """The server ends with the run that started it, and its folder goes when another begins; a living one's stays."""
    with Processes(tmp_path) as processes:
        run = processes.start("run", [sys.executable, "-c", _RUN], folder=parts.CHECKOUT, stdin=-1)
        run.wait_until(lambda: run.said().endswith("\n"), limit_seconds=30)
        left = Path(run.said().strip())
        with cluster():
            assert left.exists()
        run.process.send_signal(signal.SIGKILL)
        wait_for(lambda: not run.running, "the run is killed")
        with cluster():
            assert not left.exists()
