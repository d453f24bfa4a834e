# SPDX-License-Identifier: AGPL-3.0-or-later
"""A hub on this machine with settings, state folder and database, whose backups can be opened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from sqlalchemy import text

from booking_server.backups.making import Made, make_backup
from booking_server.backups.restoring import Restored, restore
from booking_server.backups.sealing import make_key
from booking_server.backups.unpacking import Sealed
from booking_server.broker import pki
from booking_server.config import Config, read
from booking_server.db import Database
from booking_server.keys import make_keys
from tests.booking_server.hub import NOW
from tests.system.settings_file import write_settings


@dataclass
class HubHere:
    """`at` is what time it is there; `identity` opens its backups."""

    settings: Path
    config: Config
    identity: str
    at: datetime = NOW

    def backs_up(self, **more: object) -> Made:
        self.at += timedelta(seconds=1)
        config = msgspec.structs.replace(self.config, backup=msgspec.structs.replace(self.config.backup, **more))
        return make_backup(self.settings, config, now=self.at)

    def restores(self, file: Path, *, over: bool = False, identity: str = "") -> Restored:
        self.at += timedelta(days=1)
        with file.open("rb") as content:
            sealed = Sealed(content, str(file), identity or self.identity)
            return restore(self.config, sealed, now=self.at, over=over)

    def number(self, query: str) -> int:
        database = Database(self.config.database)
        try:
            with database.read() as tx:
                return int(tx.execute(text(query)).scalar_one() or 0)
        finally:
            database.close()

    @property
    def folder(self) -> Path:
        return Path(self.config.backup.folder)

    def files(self) -> set[str]:
        """Every file in the state folder, but for locks."""
        found = (path for path in self.config.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self.config.folder)) for path in found if "lock" not in path.name}


def hub_here(folder: Path, database_url: str) -> HubHere:
    """Make it in `folder`, over a database that has its tables."""
    secret, public = make_key()
    settings, state = folder / "server.toml", folder / "state"
    backup = {"recipient": public, "folder": str(folder / "backups"), "keep": 3}
    write_settings(settings, {"database": database_url, "state_folder": str(state), "name": "Hubi & Co", "backup": backup})
    make_keys(state)
    pki.issue(state, "server-doors-1")
    return HubHere(settings, read(settings), secret)
