"""Limits of API keys, and the key that created each vector store and job."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("limits", sa.JSON(), nullable=True))
    for table in ("vector_stores", "jobs"):
        op.add_column(table, sa.Column("created_by", sa.String(length=64), nullable=False, server_default=""))
