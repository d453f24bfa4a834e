# SPDX-License-Identifier: AGPL-3.0-or-later
"""Asks what is alive at a door's box: pcscd, the broker, systemd. It takes no reader, pin or session from a running agent.

Each question ends within seconds, and whoever does not answer is None or a sentence.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import ssl
import subprocess
import time
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from access_contract.vocabulary import DoorId
from door_agent.config import Config
from door_agent.doctor.facts import AGENTS_USER, Broker, Pcscd
from door_agent.errors import BadConfiguration
from door_agent.link import tls_context

_SECONDS = 5.0
_ALERT_SECONDS = 0.5
"""TLS 1.3: a broker that refuses our certificate says so only after the handshake."""
NO_PYSCARD, SILENT = -1, -2
_UNIT = ("LoadState", "ActiveState", "SubState", "UnitFileState", "WatchdogUSec", "NRestarts", "ConditionResult")


def pcscd() -> Pcscd:
    """Ask pcscd for its readers, and open none; as the agent's user if we may become that, for pcscd asks who wants to know."""
    context = get_context("fork")
    here, there = context.Pipe(duplex=False)
    other = context.Process(target=_tell, args=(there, _agents_user()), daemon=True)
    other.start()
    there.close()
    try:
        answer = here.recv() if here.poll(_SECONDS) else None
    except EOFError:
        answer = None
    other.kill()
    other.join()
    return answer if isinstance(answer, Pcscd) else Pcscd(code=SILENT)


def _tell(to: Connection, user: pwd.struct_passwd | None) -> None:
    _become(user)
    to.send(_listed())


def _agents_user() -> pwd.struct_passwd | None:
    if os.geteuid() == 0:
        with suppress(KeyError):
            return pwd.getpwnam(AGENTS_USER)
    return None


def _become(user: pwd.struct_passwd | None) -> None:
    if user is not None:
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)


def _listed() -> Pcscd:
    try:
        from smartcard import scard
    except ImportError:
        return Pcscd(code=NO_PYSCARD)
    library: Any = scard
    result, context = library.SCardEstablishContext(library.SCARD_SCOPE_SYSTEM)
    names: list[str] = []
    if not result:
        result, names = library.SCardListReaders(context, [])
        library.SCardReleaseContext(context)
        if result == library.SCARD_E_NO_READERS_AVAILABLE:
            result = 0
    said = str(library.SCardGetErrorMessage(result)) if result else ""
    return Pcscd(code=result & 0xFFFFFFFF, said=said.strip().rstrip("."), names=tuple(names or ()))


def broker(config_file: Path, config: Config) -> Broker:
    """Show the broker the door's certificate and hang up: no MQTT is spoken, so a running agent keeps its session."""
    address, began = f"{config.broker.host}:{config.broker.port}", time.monotonic()
    try:
        context = tls_context(config.broker, config_file, DoorId(config.door))
        with (
            socket.create_connection((config.broker.host, config.broker.port), timeout=_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=config.broker.host) as secured,
        ):
            took = time.monotonic() - began
            secured.settimeout(_ALERT_SECONDS)
            with suppress(TimeoutError):
                if not secured.recv(1):
                    return Broker(address=address, trouble="it hung up at once; it may have refused the certificate")
            return Broker(address=address, seconds=took)
    except BadConfiguration as error:
        return Broker(address=address, trouble=str(error))
    except ssl.SSLCertVerificationError as error:
        return Broker(address=address, trouble=f"its certificate is not believed ({error.verify_message})")
    except ssl.SSLError as error:
        revoked = "REVOKED" in (error.reason or "")
        return Broker(address=address, trouble=f"it refuses this door's certificate ({error.reason})", revoked=revoked)
    except socket.gaierror:
        return Broker(address=address, trouble="no address is known for that name; is the network there?")
    except OSError as error:
        return Broker(address=address, trouble=f"it cannot be reached ({error.strerror or error})")


def unit() -> dict[str, str] | None:
    """Return what systemd says of the door's unit; None where systemd does not run."""
    said = _said(["systemctl", "show", "door-agent.service", f"--property={','.join(_UNIT)}"])
    pairs = dict(line.partition("=")[::2] for line in (said or "").splitlines())
    return pairs if "LoadState" in pairs else None


def pcscd_version() -> str | None:
    said = _said(["pcscd", "--version"])
    return None if not said else said.splitlines()[0].removeprefix("pcsc-lite version ").rstrip(".")


def _said(command: list[str]) -> str | None:
    program = shutil.which(command[0], path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if program is None:
        return None
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=True, timeout=_SECONDS)
        return done.stdout
    return None
