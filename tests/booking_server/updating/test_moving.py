# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does an update end wholly in one version or wholly in the other, whatever fails and whenever the power is cut?"""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from booking_server.updating.alone import record
from booking_server.updating.alone.main import said
from booking_server.updating.alone.moving import Stuck
from tests.booking_server.updating.machine import Machine, PowerCut

OLD, NEW = ("1", "1", "old", True), ("2", "2", "new", True)


def test_an_update_changes_all_or_says_in_one_line_what_failed(tmp_path: Path) -> None:
    """Package, tables and settings are the new ones; the line says how to go back."""
    machine = Machine(tmp_path)
    done = machine.begin()
    assert machine.state() == NEW
    assert said(done) == "The hub runs 2. To go back: booking-server update --undo"


@pytest.mark.parametrize("step", ["keep", "stop", "copy", "install", "migrate", "start 2", "check 2"])
def test_whatever_fails_all_is_as_it_was(tmp_path: Path, step: str) -> None:
    """Package, database, settings: as before, running; what the new version wrote while it was tried is gone with it."""
    machine = Machine(tmp_path, breaks={step})
    done = machine.begin()
    assert machine.state() == OLD
    assert "served by 2" not in machine.query("select what from kept")
    assert f"({step.split()[0]}: it was to fail)" in said(done)
    assert done.result == ("unchanged" if step in ("keep", "stop", "copy") else "back")


def cut_everywhere(tmp_path: Path, breaks: set[str], **words: object) -> list[tuple[Machine, record.Record]]:
    """Cut the power at every place in turn, and once more soon after; then have it finished. Undo begins from a done one."""
    finished: list[tuple[Machine, record.Record]] = []
    for at in count():
        (tmp_path / str(at)).mkdir()
        machine = Machine(tmp_path / str(at))
        if words:
            machine.begin()
        machine.breaks, machine.cuts = breaks, at
        try:
            done = machine.begin(**words)
            assert at > 12
            return [*finished, (machine, done)]
        except PowerCut:
            machine.cuts = 2
        with suppress(PowerCut):
            machine.go()
        machine.cuts = -1
        finished.append((machine, machine.go()))
    raise AssertionError


def test_a_power_cut_anywhere_is_finished_by_the_next_run(tmp_path: Path) -> None:
    """Also a second one soon after: the hub is in the new version, running, with all that was in it."""
    for machine, done in cut_everywhere(tmp_path, set()):
        assert (machine.state(), done.result) == (NEW, "done")
        assert machine.query("select what from kept")[0] == "before"


@pytest.mark.parametrize("breaks", ["install", "migrate", "check 2"])
def test_a_power_cut_on_the_way_back_is_finished_too(tmp_path: Path, breaks: str) -> None:
    """However often it is cut: the hub is in the old version, running, as it was."""
    for machine, done in cut_everywhere(tmp_path, {breaks}):
        assert (machine.state(), done.result) == (OLD, "back")
        assert set(machine.query("select what from kept")) <= {"before", "served by 1"}


def test_what_was_interrupted_can_be_taken_back(tmp_path: Path) -> None:
    """At every place: whoever says --undo after a power cut has the old version."""
    for at in range(14):
        folder = tmp_path / str(at)
        folder.mkdir()
        machine = Machine(folder, cuts=at)
        with pytest.raises(PowerCut):
            machine.begin()
        machine.cuts = -1
        found = record.read(machine.folder)
        assert found is not None
        record.write(machine.folder, found.turned_back("taken back"))
        if record.read(machine.folder).under_way:  # type: ignore[union-attr]
            machine.go()
        assert machine.state() == OLD


def test_an_undo_keeps_what_was_entered_since(tmp_path: Path) -> None:
    """The tables go back, the rows stay; a copy of how it was lies aside."""
    for machine, done in cut_everywhere(tmp_path, set(), way="undo", step="stop"):
        assert (machine.state(), done.result) == (OLD, "undone")
        assert "served by 2" in machine.query("select what from kept")
        assert (machine.folder / "after" / "database").exists()


def test_an_undo_may_discard_what_was_entered_since(tmp_path: Path) -> None:
    """Then the database is the copy of before the update."""
    for machine, done in cut_everywhere(tmp_path, set(), way="undo", step="stop", restore=True):
        assert (machine.state(), done.result) == (OLD, "undone")
        assert "served by 2" not in machine.query("select what from kept")


def test_tables_that_cannot_go_back_leave_the_hub_as_it_is(tmp_path: Path) -> None:
    """The undo ends before it has touched anything, and says why."""
    machine = Machine(tmp_path)
    machine.begin()
    machine.breaks = {"downgrade"}
    done = machine.begin(way="undo", step="stop")
    assert machine.state() == NEW
    assert said(done) == "Nothing was changed (downgrade: it was to fail)."


def test_a_way_back_that_is_barred_is_said_and_tried_again(tmp_path: Path) -> None:
    """The disk is full, say: one line names the step, and the next run finishes it."""
    machine = Machine(tmp_path, breaks={"migrate", "undo_data"})
    with pytest.raises(Stuck, match="undo_data: it was to fail"):
        machine.begin()
    machine.breaks = set()
    assert machine.go().result == "back"
    assert machine.state() == OLD
