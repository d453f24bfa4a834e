# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does work as the user to whom the hub's data belongs, while the command itself goes on as root.

What root wrote among the hub's files the hub could not read. The work runs in a process of its own that gives root up for good
before it does anything; it must start no thread before it is called, and hand back only what can be pickled.
"""

from __future__ import annotations

import os
import pickle
import pwd
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from booking_server.config import BadConfiguration
from booking_server.errors import BookingServerError

T = TypeVar("T")
USER = "hubkey"


class Refused(BookingServerError):
    """The work could not be done; the message says why, in one line."""


def owner_of(state_folder: Path) -> pwd.struct_passwd | None:
    """Return whose the hub's data is or will be, if that is somebody else than root who asks; else None."""
    if os.geteuid() != 0:
        return None
    try:
        owner = pwd.getpwuid(state_folder.stat().st_uid) if state_folder.exists() else pwd.getpwnam(USER)
    except KeyError:
        return None
    return owner if owner.pw_uid else None


def as_user(owner: pwd.struct_passwd | None, work: Callable[[], T]) -> T:
    """Return what `work` returns, done as `owner` (None: as who we are). Raise Refused for what it refuses."""
    if owner is None:
        return work()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _work_and_end(owner, work, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    if not told:
        raise Refused("it ended before it was done; the lines above say why")
    done, value = pickle.loads(told)  # noqa: S301 - our own child's words, over a pipe that nobody else holds
    if not done:
        raise Refused("{why}", why=value)
    found: T = value
    return found


def _work_and_end(owner: pwd.struct_passwd, work: Callable[[], object], writing: int) -> None:
    told: tuple[bool, Any] = (False, None)
    try:
        os.initgroups(owner.pw_name, owner.pw_gid)
        os.setgid(owner.pw_gid)
        os.setuid(owner.pw_uid)
        os.umask(0o077)
        os.environ["HOME"] = owner.pw_dir
        os.chdir("/")
        told = True, work()
    except (BadConfiguration, BookingServerError) as error:
        told = False, str(error)
    except SQLAlchemyError as error:
        told = False, f"the database cannot be used: {str(getattr(error, 'orig', None) or error).splitlines()[0]}"
    except OSError as error:
        told = False, f"{error.filename or 'the disk'}: {error.strerror}"
    except KeyboardInterrupt:
        told = False, "interrupted"
    finally:  # a bug leaves None, and its traceback where every bug leaves it
        if told == (False, None):
            _show_bug()
        else:
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(pickle.dumps(told))
        os._exit(0)


def _show_bug() -> None:
    import traceback

    traceback.print_exc()
