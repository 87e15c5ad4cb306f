"""Alembic's entry point. `rag.catalog.database` passes it a connection."""

from __future__ import annotations

from alembic import context

from rag.catalog.tables.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
