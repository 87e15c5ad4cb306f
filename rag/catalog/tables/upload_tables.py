"""The tables of uploads in parts, which `rag/catalog/migrations` creates like those of `rag.catalog.tables.schema`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Integer, String, Table

from rag.catalog.tables.schema import metadata

uploads = Table(
    "uploads",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("filename", String(512), nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("charset", String(64), nullable=False),  # by its media type; empty: not named
    Column("bytes", BigInteger, nullable=False),  # that the client announced
    Column("file_expiry_s", Integer, nullable=True),
    Column("state", String(16), nullable=False),  # pending, completed, cancelled
    Column("file_id", String(64), nullable=True),
    Column("created_at", Float(53), nullable=False),
    Column("expires_at", Float(53), nullable=False, index=True),
    Column("tenant", String(64), nullable=False, index=True),
    Column("created_by", String(64), nullable=False),
)

upload_parts = Table(
    "upload_parts",  # only of pending uploads
    metadata,
    Column("id", String(64), primary_key=True),
    Column("upload_id", String(64), nullable=False, index=True),
    Column("blob_id", String(64), nullable=False, index=True),
    Column("bytes", BigInteger, nullable=False),
    Column("created_at", Float(53), nullable=False),
)
