# SPDX-License-Identifier: AGPL-3.0-or-later
"""Finds out the facts about a hub's server. It changes nothing; what takes long is asked side by side."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

from booking_server.broker import expiring
from booking_server.clock import SystemClock
from booking_server.config import BadConfiguration, Config, clock_of
from booking_server.doctor import asking, looking, stored
from booking_server.doctor.facts import CertificateFact, Facts
from booking_server.keys import load_keys


def gather(config: Config, config_file: Path | None = None) -> Facts:
    """Return all that can be told of the server with these settings. Run it as the server's own user, or as root."""
    now = clock_of(config).now()
    with ThreadPoolExecutor(5) as together:
        database = together.submit(stored.database_fact, config, now)
        broker, web = together.submit(asking.broker, config), together.submit(asking.web, config)
        origin, mail = together.submit(asking.origin, config), together.submit(asking.mail, config)
        units = asking.units()
    pages = _pages_file(config)
    return Facts(
        config=config,
        now=now,
        machine_now=SystemClock().now(),
        is_synced=looking.is_synced(),
        keys=_keys(config),
        database=database.result(),
        broker_runs=looking.broker_runs(config),
        broker=broker.result(),
        web=web.result(),
        origin=origin.result(),
        mail=mail.result(),
        certificates=tuple(map(_fact, expiring.own(config.folder, config.broker.identity, pages))),
        door_certificates=tuple(map(_fact, expiring.of_doors(config.folder).values())),
        rooms=tuple(looking.rooms(config)),
        folder=looking.folder_fact(config.folder),
        files=tuple(looking.files(config, config_file)),
        missing=looking.missing(config),
        backup=looking.backup(config.folder),
        units=units,
        processes=tuple(looking.processes(config_file)),
        version=version("hubkey"),
        installed_at=looking.installed_at(),
    )


def _pages_file(config: Config) -> Path | None:
    if not config.web.is_https:
        return None
    return Path(config.web.certificate) if config.web.certificate else config.folder / "pages" / "pages.pem"


def _keys(config: Config) -> str | None:
    try:
        load_keys(config.folder)
    except BadConfiguration as error:
        return str(error)
    return None


def _fact(found: expiring.Lasting) -> CertificateFact:
    return CertificateFact(name=found.name, ends=found.ends, names=found.names)
