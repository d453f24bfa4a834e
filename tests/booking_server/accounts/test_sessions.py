# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is a session's token to who guesses, and to who has a copy of the database?"""

from __future__ import annotations

import base64
from typing import Any

from sqlalchemy import select

from booking_server.accounts import service as accounts
from booking_server.accounts import sessions, tables
from booking_server.actors import Role
from booking_server.db import Database
from tests.booking_server.hub import ADMINISTRATOR, NOW, PASSWORD


def test_a_token_is_random_and_the_table_has_its_hash_alone(database: Database) -> None:
    """256 bits, another each time, also after a proof; no row holds one, and the id of a row signs nobody in."""
    with database.write() as tx:
        account = accounts.add_account(
            tx, ADMINISTRATOR, now=NOW, sign_in_name="heikki", name="", role=Role.HOST, password=PASSWORD
        )
        begun: dict[str, Any] = {"account_id": account.id, "how": ["password"], "address": "", "device": ""}
        tokens = [sessions.begin(tx, now=NOW, **begun) for _ in range(20)]
        tokens.append(sessions.confirm(tx, now=NOW, session_id=sessions.id_of(tokens[0])))
        rows = [str(tuple(row)) for row in tx.execute(select(tables.sessions))]
        assert sessions.session(tx, now=NOW, token=sessions.id_of(tokens[1])) is None
    assert {len(base64.urlsafe_b64decode(token + "=")) for token in tokens} == {32}
    assert len(set(tokens)) == 21
    assert not [token for token in tokens for row in rows if token in row]
