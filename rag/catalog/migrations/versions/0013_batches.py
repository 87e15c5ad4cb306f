"""Batches of requests, and their lines."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_batches()
    op.create_table(
        "batch_lines",
        sa.Column("batch_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("custom_id", sa.Text(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claimed_by", sa.String(length=64), nullable=True),
        sa.Column("claimed_until", sa.Float(precision=53), nullable=True),
        sa.Column("result", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("batch_id", "number"),
    )
    indexes = {
        "batches": (
            *(("input_blob_id",), ("state",), ("output_file_id",), ("error_file_id",), ("expires_at",), ("tenant",)),
        ),
        "batch_lines": (("claimed_until",), ("batch_id", "state", "attempts", "number")),
    }
    for table, columns in indexes.items():
        for names in columns:
            op.create_index(op.f(f"ix_{table}_{'_'.join(names)}"), table, list(names), unique=False)


def _create_batches() -> None:
    op.create_table(
        "batches",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("endpoint", sa.String(length=64), nullable=False),
        sa.Column("input_file_id", sa.String(length=64), nullable=False),
        sa.Column("input_blob_id", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("end_state", sa.String(length=16), nullable=True),
        sa.Column("errors", sa.JSON(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("model", sa.String(length=512), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("completed", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("usage", sa.JSON(), nullable=True),
        sa.Column("output_file_id", sa.String(length=64), nullable=True),
        sa.Column("error_file_id", sa.String(length=64), nullable=True),
        sa.Column("output_expiry_s", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("deadline_at", sa.Float(precision=53), nullable=False),
        sa.Column("in_progress_at", sa.Float(precision=53), nullable=True),
        sa.Column("finalizing_at", sa.Float(precision=53), nullable=True),
        sa.Column("cancelling_at", sa.Float(precision=53), nullable=True),
        sa.Column("ended_at", sa.Float(precision=53), nullable=True),
        sa.Column("paused_until", sa.Float(precision=53), nullable=False),
        sa.Column("held_until", sa.Float(precision=53), nullable=False),
        sa.Column("expires_at", sa.Float(precision=53), nullable=True),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("caller_groups", sa.JSON(), nullable=True),
        sa.Column("caller_stores", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
