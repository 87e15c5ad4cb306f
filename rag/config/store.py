"""Options of the databases: Milvus, `RAG_STORE__...`, and the catalog, `RAG_CATALOG__...`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue, SecretStr

from rag.config.section import Section


class StoreSettings(Section):
    """Milvus, which stores the vectors: a file (Milvus Lite) or a server."""

    uri: str | None = Field(
        None, description="A .db file, or the URL of a Milvus server; unset: milvus.db in the data folder."
    )
    token: SecretStr | None = Field(None, description="user:password or API key of a Milvus server.")
    prefix: str = Field(
        "rag_", pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,31}$", description="Prefix of the names of all collections."
    )
    timeout_s: float = Field(30.0, gt=0, description="Timeout of one call to Milvus in seconds.")
    language: str = Field(
        "english",
        pattern=r"^[a-z]*$",
        description="Language for stemming and stop words in keyword search; empty: neither.",
    )
    dense_index: str = Field("AUTOINDEX", description="Milvus index of dense vectors: HNSW, IVF_FLAT, DISKANN, ...")
    dense_metric: Literal["COSINE", "IP", "L2", "HAMMING", "JACCARD"] | None = Field(
        None,
        description="Metric of dense vectors: IP, COSINE or L2, which find the same because vectors have length 1; for "
        "BIN_FLAT and BIN_IVF_FLAT HAMMING or JACCARD. Unset: the first of them.",
    )
    dense_build: dict[str, JsonValue] = Field(
        default_factory=dict, description='JSON: build parameters of that index, such as {"M": 16}.'
    )
    dense_search: dict[str, JsonValue] = Field(
        default_factory=dict, description='JSON: search parameters of that index, such as {"ef": 128}.'
    )
    rescore_dtype: Literal["float32", "int8"] = Field(
        "int8", description="With BIN_FLAT and BIN_IVF_FLAT: type of the vectors by which candidates are rescored."
    )
    oversampling: int = Field(
        8, ge=1, le=16, description="With BIN_FLAT and BIN_IVF_FLAT: candidates per requested chunk that are rescored."
    )
    keyword_index: Literal["SPARSE_INVERTED_INDEX", "SPARSE_WAND", "AUTOINDEX"] = Field(
        "SPARSE_INVERTED_INDEX", description="Milvus index for keyword search."
    )
    keyword_build: dict[str, JsonValue] = Field(
        default_factory=lambda: dict[str, JsonValue]({"bm25_k1": 0.9, "bm25_b": 0.4}),
        description="JSON: BM25 parameters and build parameters of that index.",
    )
    sparse_index: Literal["SPARSE_INVERTED_INDEX", "SPARSE_WAND", "AUTOINDEX"] = Field(
        "SPARSE_INVERTED_INDEX", description="Milvus index of learned sparse vectors."
    )
    sparse_build: dict[str, JsonValue] = Field(
        default_factory=dict, description="JSON: build parameters of that index."
    )


class CatalogSettings(Section):
    """The SQL database of documents, their versions and jobs."""

    url: str | None = Field(
        None,
        description="URL of a PostgreSQL database (postgresql://user:password@host/name), which replicas can share; "
        "unset: SQLite files in the data folder.",
    )
