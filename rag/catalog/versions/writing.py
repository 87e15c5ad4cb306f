"""Records what was read from a version's file, and how much of it is written to Milvus."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from rag.catalog.tables.rows import VersionRow, read_rows
from rag.catalog.tables.schema import index_versions, versions
from rag.types import Extract


def record_extract(connection: sa.Connection, seq: int, extract: Extract, extract_id: str, chunks: int) -> None:
    """Store what was extracted from a version's file, and the number of its chunks."""
    connection.execute(
        sa.update(versions)
        .where(versions.c.seq == seq)
        .values(
            extract_id=extract_id,
            media_type=extract.media_type[:128],
            title=extract.title[:1000],
            language=extract.language[:64],
            pages=len(extract.pages),
            warnings=[warning.to_json() for warning in extract.warnings] or None,
            chunks=chunks,
            chunks_done=0,
        )
    )


def record_questions(connection: sa.Connection, seq: int, extract_id: str, chunks: int) -> None:
    """Store where the extract with the generated questions is, and the number of chunks that includes them."""
    is_pending = (versions.c.seq == seq) & (versions.c.state == "pending")
    connection.execute(sa.update(versions).where(is_pending).values(extract_id=extract_id, chunks=chunks))


def copy_extract(connection: sa.Connection, seq: int, source: VersionRow) -> None:
    """Give a version the extract of another one with the same bytes."""
    connection.execute(sa.update(versions).where(versions.c.seq == seq).values(extract_values(source)))


def extract_values(version: VersionRow) -> dict[str, object]:
    """The columns that describe what was extracted from a version's file."""
    return {
        "extract_id": version.extract_id,
        "media_type": version.media_type,
        "title": version.title,
        "language": version.language,
        "pages": version.pages,
        "warnings": version.warnings,
        "chunks": version.chunks,
    }


def begin_writing(connection: sa.Connection, starts: Mapping[int, int]) -> list[VersionRow]:
    """Note that Milvus may hold rows of these versions from now on. Returns those that are still pending.

    Args:
        starts: The first chunk that is written now, by version.
    """
    is_pending = versions.c.seq.in_(starts) & (versions.c.state == "pending")
    pending = read_rows(connection, VersionRow, sa.select(versions).where(is_pending))
    for version in pending:
        # If the attributes changed after the first chunks were written, its rows differ, and all are written again.
        is_uniform = starts[version.seq] == 0 or version.attributes_written == version.attributes
        written = version.attributes if is_uniform else None
        own = versions.c.seq == version.seq
        connection.execute(sa.update(versions).where(own).values(dirty=True, attributes_written=written))
    return pending


def record_progress(connection: sa.Connection, chunks_done: Mapping[int, int]) -> None:
    """Store how many chunks of each version are written."""
    for seq, count in chunks_done.items():
        is_behind = (versions.c.seq == seq) & (versions.c.chunks_done < count)
        connection.execute(sa.update(versions).where(is_behind).values(chunks_done=count))


def mark_indexed(connection: sa.Connection, index_id: str, seq: int) -> None:
    """Note that an index holds all chunks of a version."""
    known = sa.select(index_versions.c.seq).where(index_versions.c.index_id == index_id, index_versions.c.seq == seq)
    if connection.execute(known).first() is None:
        connection.execute(sa.insert(index_versions).values(index_id=index_id, seq=seq))
