"""The chunks of versions: cached while a job works on them, otherwise recreated from the stored extract."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cachetools import LRUCache

from rag.blobs import BlobFolder
from rag.catalog.documents.visibility import version_id
from rag.catalog.tables.rows import VersionRow
from rag.errors import InternalError
from rag.ingest.question_prompts import pair_passages
from rag.readers.extract import extract_json
from rag.recognized_language import with_language
from rag.records import Strategy
from rag.types import Chunk, Extract, Passage, chunk_id_of

ChunkExtract = Callable[[Extract, Strategy], Sequence[Passage]]
"""Splits an extract into passages by a chunking strategy."""
_CACHE_CHARS = 32 * 1024 * 1024
"""Characters of passages that are cached."""
_MIN_CACHED_VERSIONS = 4
"""Cached however large they are: a large version is written in many steps, and several jobs run at a time."""


@dataclass(frozen=True, slots=True)
class VersionPassages:
    """The passages of a version, followed by those of its question-answer pairs."""

    passages: Sequence[Passage]
    has_questions: bool
    """Whether the language model has been asked for questions already."""


class VersionChunks:
    """Reads, stores and splits the extracts of versions. Safe for several threads.

    Args:
        blobs: Where the extracts are stored.
        chunk_extract: Must return equal passages for equal arguments.
    """

    def __init__(self, blobs: BlobFolder, chunk_extract: ChunkExtract) -> None:
        self._blobs = blobs
        self._chunk_extract = chunk_extract
        self._cache: LRUCache[tuple[int, str], VersionPassages] = LRUCache(_CACHE_CHARS, getsizeof=_cached_chars)
        self._lock = threading.Lock()

    def split(self, extract: Extract, strategy: Strategy) -> VersionPassages:
        """The passages of an extract, with those of its question-answer pairs."""
        passages = self._chunk_extract(extract, strategy)
        return VersionPassages(
            [*passages, *pair_passages(passages, extract.pairs or ())], has_questions=extract.pairs is not None
        )

    def add(self, seq: int, extract_id: str, passages: VersionPassages) -> None:
        """Cache the passages of a version whose extract was stored just now."""
        with self._lock:
            self._cache[seq, extract_id] = passages

    def passages(self, version: VersionRow) -> VersionPassages:
        """All passages of a version with a stored extract."""
        key = (version.seq, _extract_id(version))
        with self._lock:
            cached = self._cache.get(key)
        if cached is not None:
            return cached
        passages = self.split(self.extract(version), version.chunking)
        self.add(*key, passages)
        return passages

    def chunks(self, version: VersionRow, start: int = 0, end: int | None = None) -> list[Chunk]:
        """The chunks of a version with a stored extract, from number `start` to before `end`."""
        wanted = self.passages(version).passages[start:end]
        return [_chunk(version, start + offset, passage) for offset, passage in enumerate(wanted)]

    def extract(self, version: VersionRow) -> Extract:
        """The stored extract of a version."""
        return extract_json.from_json(self._blobs.read(_extract_id(version)))


def _extract_id(version: VersionRow) -> str:
    if version.extract_id is None:
        raise InternalError(f"version {version.seq} of {version.filename} has no stored extract")
    return version.extract_id


def _cached_chars(version: VersionPassages) -> int:
    chars = sum(
        len(passage.text) + len(passage.header) + len(passage.context) + len(passage.places)
        for passage in version.passages
    )
    return min(chars, _CACHE_CHARS // _MIN_CACHED_VERSIONS)


def _chunk(version: VersionRow, ordinal: int, passage: Passage) -> Chunk:
    own_id = version_id(version.seq)
    return Chunk(
        chunk_id=chunk_id_of(own_id, ordinal),
        version_id=own_id,
        file_id=version.file_id,
        filename=version.filename,
        text=passage.text,
        start=passage.start,
        end=passage.end,
        heading=passage.heading,
        page=passage.page,
        pages=passage.pages,
        places=passage.places,
        header=passage.header,
        context=passage.context,
        attributes=with_language(version.attributes, version.language),
        read_groups=tuple(version.read_groups or ()),
    )
