"""Retrieval settings and revision nonces (`stamp`) of vector stores, learned sparse models of indexes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("vector_stores", sa.Column("retrieval", sa.JSON(), nullable=True))
    op.add_column("vector_stores", sa.Column("stamp", sa.String(length=32), nullable=False, server_default=""))
    op.add_column("indexes", sa.Column("sparse_embedder", sa.String(length=512), nullable=False, server_default=""))
