# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does what belongs to the hub belong to the hub's user, though root made it?"""

from __future__ import annotations

import os
import pwd
from functools import partial
from pathlib import Path

import pytest

from booking_server.config import BadConfiguration
from booking_server.setting_up.as_user import Refused, as_user, owner_of

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder of nobody's, in a folder that they may enter."""
    for folder in (tmp_path, *tmp_path.parents[:3]):  # a worker of several has a folder of its own in between
        folder.chmod(folder.stat().st_mode | 0o011)
    made = tmp_path / "state"
    made.mkdir(mode=0o700)
    os.chown(made, pwd.getpwnam("nobody").pw_uid, -1)
    return made


def test_the_work_is_done_as_the_folder_s_owner_and_handed_back(state: Path) -> None:
    """The file is the owner's, for nobody else; we are still root."""

    def work() -> int:
        (state / "file").write_text("made", encoding="utf-8")
        return os.geteuid()

    owner = owner_of(state)
    assert as_user(owner, work) == pwd.getpwnam("nobody").pw_uid
    made = (state / "file").stat()
    assert (made.st_uid, made.st_mode & 0o777) == (pwd.getpwnam("nobody").pw_uid, 0o600)
    assert os.geteuid() == 0


def test_what_the_owner_may_not_is_refused_in_one_line(state: Path, tmp_path: Path) -> None:
    """As is whatever the work itself refuses."""
    (tmp_path / "shut").mkdir(mode=0o700)
    with pytest.raises(Refused, match=r"shut/file: Permission denied"):
        as_user(owner_of(state), partial((tmp_path / "shut" / "file").write_text, "x"))

    def refuse() -> None:
        raise BadConfiguration("web.port is {0}")

    with pytest.raises(Refused, match=r"web\.port is \{0\}"):
        as_user(owner_of(state), refuse)


def test_root_s_own_folder_needs_no_other_user(tmp_path: Path) -> None:
    """Then the work is done here."""
    assert owner_of(tmp_path) is None
    assert as_user(None, os.getpid) == os.getpid()
