"""The groups that may read a document, and those of API keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("vector_stores", "files", "versions"):
        op.add_column(table, sa.Column("read_groups", sa.JSON(), nullable=True))
    op.add_column("api_keys", sa.Column("groups", sa.JSON(), nullable=True))
