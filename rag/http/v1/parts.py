"""What the `/v1` routes work with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from rag.library.service import Library
from rag.types import Hit, SearchMode


@dataclass(frozen=True, slots=True)
class Lookup:
    """A search of one vector store."""

    text: str
    store_id: str
    top_k: int
    filters: Mapping[str, Any] | None = None
    mode: SearchMode | None = None
    """None: as the service is configured."""
    dense_weight: float | None = None
    """Of the dense path, in [0, 1], with mode `hybrid`; None: as the service is configured."""


Search: TypeAlias = Callable[[Lookup], Awaitable[Sequence[Hit]]]
"""Best hits first. Raises what the searcher raises."""


@dataclass(frozen=True, slots=True)
class V1Parts:
    library: Callable[[], Library]
    """Raises Starting or SetupError while there is none."""
    search: Search
    incoming: Path
    """Where uploads are written; on the same file system as the library's files, so that these are moved only."""
    max_file_bytes: int
