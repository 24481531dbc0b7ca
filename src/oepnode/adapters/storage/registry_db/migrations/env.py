"""Environment of the migrations: they run on the connection that `migrate` hands over."""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table="registry_schema",
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
