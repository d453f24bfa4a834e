# SPDX-License-Identifier: AGPL-3.0-or-later
"""Asks what is alive: broker, pages, mail server, systemd. Nobody's line is taken over and nothing is sent to anybody.

Each question ends within seconds, and whoever does not answer is a sentence.
"""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import ssl
import subprocess
import time
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509

from booking_server.broker import expiring
from booking_server.config import BadConfiguration, Config
from booking_server.doctor.facts import Asked, CertificateFact, UnitFact
from booking_server.messages.carrying import open_line
from booking_server.messages.troubles import Trouble

SECONDS = 5.0
_ALERT_SECONDS = 0.5
"""TLS 1.3: a broker that refuses our certificate says so only after the handshake."""
_SYSTEMD = Path("/run/systemd/system")
UNITS = ("broker", "doors", "web", "mail", "backup", "privacy", "roster")
TIMERS = ("backup", "privacy", "roster")


def broker(config: Config) -> Asked:
    """Show the broker this server's certificate and hang up: no MQTT is spoken, so the running process keeps its session."""
    host, name = reached_at(config.broker.host), called(config)
    address = f"{name}:{config.broker.port}"
    folder, began = config.folder / "identities" / config.broker.identity, time.monotonic()
    try:
        context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        context.load_cert_chain(str(folder / "certificate.pem"), str(folder / "key.pem"))
        with (
            socket.create_connection((host, config.broker.port), timeout=SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=name) as secured,
        ):
            took = time.monotonic() - began
            secured.settimeout(_ALERT_SECONDS)
            with suppress(TimeoutError):
                if not secured.recv(1):
                    return Asked(address=address, trouble="it hung up at once; it may have refused this server's certificate")
            return Asked(address=address, seconds=took)
    except ssl.SSLCertVerificationError as error:
        wrong = error.verify_code in (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
        return Asked(address=address, trouble=f"its certificate is not believed ({error.verify_message})", wrong_name=wrong)
    except ssl.SSLError as error:
        return Asked(address=address, trouble=f"it refuses this server's certificate ({error.reason})")
    except OSError as error:
        return Asked(address=address, trouble=_reason(error))


def called(config: Config) -> str:
    """Return the name by which doors call the broker."""
    host = config.broker.known_as or config.broker.host
    return "localhost" if host in ("0.0.0.0", "::") else host  # noqa: S104 - no name at all


def reached_at(host: str) -> str:
    """Return the address at which this machine reaches what listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104


def web(config: Config) -> Asked:
    """Ask the pages themselves for the sign-in; whose certificate they show is another question."""
    scheme = "https" if config.web.is_https else "http"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return _page(f"{scheme}://{_bracketed(reached_at(config.web.host))}:{config.web.port}", context)


def origin(config: Config) -> Asked | None:
    """Ask as a browser would at the address that people type; None where it is the pages' own port on this machine."""
    if not config.web.address:
        return None
    context = ssl.create_default_context()
    with suppress(OSError, ssl.SSLError):
        context.load_verify_locations(str(config.folder / "authority" / "ca.pem"))
    return _page(config.web.origin, context)


def _page(address: str, context: ssl.SSLContext) -> Asked:
    parts, began = urlsplit(address), time.monotonic()
    host = parts.hostname or ""
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(host, parts.port, timeout=SECONDS, context=context)
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=SECONDS)
    try:
        with closing(connection):
            connection.request("GET", "/sign-in", headers={"User-Agent": "booking-server doctor"})
            shown = _shown(connection.sock)
            status = connection.getresponse().status
    except ssl.SSLCertVerificationError as error:
        return Asked(address=address, trouble=f"a browser would not believe its certificate ({error.verify_message})")
    except (OSError, http.client.HTTPException) as error:
        return Asked(address=address, trouble=_reason(error))
    trouble = None if status == 200 else f"the sign-in answers with {status} instead of 200"
    return Asked(address=address, trouble=trouble, seconds=time.monotonic() - began, certificate=shown)


def _shown(connection: socket.socket) -> CertificateFact | None:
    if not isinstance(connection, ssl.SSLSocket):
        return None
    content = connection.getpeercert(binary_form=True)
    if content is None:
        return None
    found = expiring.lasting("pages", x509.load_der_x509_certificate(content))
    return CertificateFact(name=found.name, ends=found.ends, names=found.names)


def mail(config: Config) -> Asked | None:
    """Sign in at the mail server and leave; None where there is none to ask."""
    if not config.mail.server:
        return None
    address, began = f"{config.mail.server}:{config.mail.port}", time.monotonic()
    try:
        open_line(config).close()
    except (Trouble, BadConfiguration) as error:
        return Asked(address=address, trouble=str(error))
    return Asked(address=address, seconds=time.monotonic() - began)


def units() -> tuple[UnitFact, ...] | None:
    """Return what systemd says of the units that are installed; None where it does not run."""
    names = [*(f"booking-server-{one}.service" for one in UNITS), *(f"booking-server-{one}.timer" for one in TIMERS)]
    said = (
        _said(["systemctl", "show", *names, "--property=Id,LoadState,ActiveState,UnitFileState"]) if _SYSTEMD.exists() else None
    )
    if said is None:
        return None
    found = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in said.split("\n\n")]
    return tuple(
        UnitFact(name=one["Id"], active=one.get("ActiveState", ""), enabled=one.get("UnitFileState", ""))
        for one in found
        if one.get("LoadState") == "loaded"
    )


def _said(command: list[str]) -> str | None:
    program = shutil.which(command[0], path=f"{os.environ.get('PATH', os.defpath)}:/usr/bin:/bin")
    if program is None:
        return None
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=True, timeout=SECONDS)
        return done.stdout
    return None


def _reason(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "no address is known for that name"
    if isinstance(error, TimeoutError):
        return f"it does not answer within {SECONDS:g} s"
    if isinstance(error, ssl.SSLError):
        return f"it does not speak TLS as it should ({error.reason})"
    if isinstance(error, OSError):
        return f"it cannot be reached ({error.strerror or error})"
    return f"what it answers cannot be understood ({type(error).__name__})"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
