"""The tables of batches of requests, which `rag/catalog/migrations` creates like those of `rag.catalog.tables.schema`.

The states of a batch are OpenAI's:

    validating -> in_progress -> finalizing -> completed | expired | failed
       |              `-> cancelling -> cancelled
       `-> failed

In `finalizing` and `cancelling` nothing changes any more but that the output files are written.
"""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Float, Index, Integer, LargeBinary, String, Table, Text

from rag.catalog.tables.schema import metadata

batches = Table(
    "batches",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("endpoint", String(64), nullable=False),
    Column("input_file_id", String(64), nullable=False),
    Column("input_blob_id", String(64), nullable=True, index=True),  # until it has ended, even if the file is deleted
    Column("state", String(16), nullable=False, index=True),
    Column("end_state", String(16), nullable=True),  # that follows `finalizing` or `cancelling`
    Column("errors", JSON, nullable=False),
    Column("metadata", JSON, nullable=False),
    Column("model", String(512), nullable=False),  # empty: several, or not known yet
    Column("total", Integer, nullable=False),
    Column("completed", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("usage", JSON(none_as_null=True), nullable=True),
    Column("output_file_id", String(64), nullable=True, index=True),
    Column("error_file_id", String(64), nullable=True, index=True),
    Column("output_expiry_s", Integer, nullable=False),
    Column("created_at", Float(53), nullable=False),
    Column("deadline_at", Float(53), nullable=False),
    Column("in_progress_at", Float(53), nullable=True),
    Column("finalizing_at", Float(53), nullable=True),
    Column("cancelling_at", Float(53), nullable=True),
    Column("ended_at", Float(53), nullable=True),
    Column("paused_until", Float(53), nullable=False),  # no line begins before
    Column("held_until", Float(53), nullable=False),  # a process validates it or writes its files
    Column("expires_at", Float(53), nullable=True, index=True),  # when the row is erased; null: it has not ended
    Column("tenant", String(64), nullable=False, index=True),
    Column("created_by", String(64), nullable=False),
    Column("caller", Text, nullable=False),  # who created it, as `caller_to_header` writes it
    Column("caller_groups", JSON(none_as_null=True), nullable=True),  # as of a kept response
    Column("caller_stores", JSON(none_as_null=True), nullable=True),
)

batch_lines = Table(
    "batch_lines",  # of batches that are `in_progress`, `finalizing` or `cancelling`
    metadata,
    Column("batch_id", String(64), primary_key=True),
    Column("number", Integer, primary_key=True),  # of the line in the input file, from 1
    Column("custom_id", Text, nullable=False),
    Column("offset", BigInteger, nullable=False),  # of the line in the input file
    Column("length", Integer, nullable=False),
    Column("state", String(16), nullable=False),  # pending, completed, failed
    Column("attempts", Integer, nullable=False),
    Column("claimed_by", String(64), nullable=True),  # the edge that runs it
    Column("claimed_until", Float(53), nullable=True, index=True),
    Column("result", LargeBinary, nullable=True),  # the response as compressed JSON
)
Index(None, batch_lines.c.batch_id, batch_lines.c.state, batch_lines.c.attempts, batch_lines.c.number)
