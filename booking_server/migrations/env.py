# SPDX-License-Identifier: AGPL-3.0-or-later
"""Runs the migrations on the connection and in the transaction that `booking_server.schema` opened. It opens none itself.

Migrations name every constraint and never import the tables of today, so what they make stays what it was.
"""

from alembic import context

context.configure(connection=context.config.attributes["connection"], render_as_batch=True)
context.run_migrations()
