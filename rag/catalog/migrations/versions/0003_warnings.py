"""Warnings about what was not read of a version's file; the encoding that an upload declares."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("versions", sa.Column("warnings", sa.JSON(), nullable=True))
    op.add_column("blobs", sa.Column("charset", sa.String(length=64), nullable=True))
