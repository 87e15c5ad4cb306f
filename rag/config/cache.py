"""Options of the caches: `RAG_CACHE__...`."""

from __future__ import annotations

from pydantic import Field, SecretStr

from rag.config.section import Section


class CacheSettings(Section):
    """Caches of search results and answers."""

    retrievals: bool = Field(True, description="Cache search results until the vector store changes.")
    answers: bool = Field(False, description="Cache answers of temperature 0 as well.")
    semantic: float | None = Field(
        None,
        ge=0.5,
        le=1,
        description="Cosine from which two questions count as the same; unset: only identical questions do.",
    )
    ttl_s: float = Field(3600.0, gt=0, description="Seconds after which an entry expires.")
    max_mib: int = Field(
        64, ge=1, description="Size of the cache in memory in MiB; the least recently used entries are evicted."
    )
    url: SecretStr | None = Field(
        None,
        description="URL of a Redis server in which replicas share caches and the counts of limits, such as "
        "redis://host:6379/0; unset: the memory of each process.",
    )
