# SPDX-License-Identifier: AGPL-3.0-or-later
"""One building for all tests of the laws: it takes seconds to come up."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from tests.system import parts
from tests.system.one_door import OneDoor, one_door


@pytest.fixture(scope="package")
def _one_door() -> Iterator[OneDoor]:
    if parts.mosquitto() is None:
        pytest.skip(parts.missing("Mosquitto"))
    with one_door() as hub:
        yield hub


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the building's parts wrote last beside a test that failed in it."""
    report = yield
    hub = getattr(item, "funcargs", {}).get("_one_door")
    if report.failed and isinstance(hub, OneDoor):
        report.sections.append(("the building's last words", hub.building.last_words()))
    return report


@pytest.fixture
def hub(_one_door: OneDoor) -> OneDoor:
    _one_door.ready()
    return _one_door
