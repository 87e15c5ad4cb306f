"""Conversations, whose items are in `items`; the size of what is kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "conversations",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("expires_at", sa.Float(precision=53), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False, server_default="default"),
        sa.Column("created_by", sa.String(length=64), nullable=False, server_default=""),
        sa.Column("caller_groups", sa.JSON(), nullable=True),
        sa.Column("caller_stores", sa.JSON(), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("id"),
    )
    for column in ("expires_at", "tenant"):
        op.create_index(op.f(f"ix_conversations_{column}"), "conversations", [column], unique=False)
    op.add_column("responses", sa.Column("bytes", sa.BigInteger(), nullable=False, server_default="0"))
