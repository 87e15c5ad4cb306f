"""Milvus, a server or a Milvus Lite file, as a VectorStore. The only importer of pymilvus."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
from milvus_lite.server_manager import server_manager_instance
from pymilvus import DataType, Function, FunctionType, MilvusClient
from pymilvus.exceptions import ConnectionConfigException, MilvusException

from rag.errors import (
    DependencyUnavailable,
    EmbeddingMismatch,
    InvalidFilter,
    InvalidRequest,
    RagError,
    SetupError,
    VectorStoreNotFound,
)
from rag.ingest.chunking import passage_text
from rag.ports import Vectors
from rag.retrieve.filters import compile_filters, literal, with_literals
from rag.types import Chunk, Match, StoredFile

INSERT_ROWS = 256
"""Rows in one call: with the longest texts about 35 MB, below the 64 MB that Milvus takes."""
FLUSH_ROWS = 100
"""Rows that Milvus Lite may hold unflushed: it scans those, at 5,500 rows 240 ms instead of 10 ms a search."""

_log = logging.getLogger(__name__)
# pymilvus logs each error with its traceback, and with it the filter of the request. Here they are translated.
logging.getLogger("pymilvus").setLevel(logging.CRITICAL)

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_EMBEDDING = "rag.embedding"
_MAX_STRING_BYTES = 65_535
_FIELDS = ["chunk_id", "file_id", "content_hash", "filename", "text", "heading", "page", "start", "end", "attributes"]
_STRINGS = {"file_id": 64, "content_hash": 64, "filename": 2048, "text": _MAX_STRING_BYTES, "heading": 8192}
_NO_PAGE = -1  # Milvus 2.3 has no nullable fields
_COLLECTION_NOT_FOUND = (4, 100)
_NOT_LOADED = 101
_BAD_EXPRESSION = (6, 1100)


class MilvusStore:
    """Connects at the first call, and again at the next one when that failed.

    Args:
        uri: a file that ends in `.db` (Milvus Lite, one process at a time), or a server's URL.
        prefix: put before the collections' names.
    """

    def __init__(self, uri: str, token: str | None = None, prefix: str = "rag_", timeout_s: float = 30.0) -> None:
        self._uri = uri
        self._shown_uri = re.sub(r"//[^/@]*@", "//", uri)
        self._token = token
        self._prefix = prefix
        self._timeout_s = timeout_s
        self._is_lite = uri.endswith(".db")
        self._lock = threading.RLock()
        # While Milvus Lite (3.2) flushes, its newest rows are found by no search, and an insert may be lost.
        self._turn = threading.RLock() if self._is_lite else nullcontext()
        self._connected: MilvusClient | None = None
        self._has_bm25 = True
        self._has_templates = False
        self._loaded: set[str] = set()
        self._unflushed: Counter[str] = Counter()

    @property
    def supports_keyword(self) -> bool:
        """Whether this Milvus has BM25; without it `keyword` finds nothing."""
        if not self._is_lite:
            with self._border():
                self._client()
        return self._has_bm25

    def ensure(self, vector_store: str, dimensions: int, model_name: str) -> None:
        wanted = {"model": model_name, "dimensions": dimensions}
        name = self._name(vector_store)
        with self._border(vector_store), self._lock:
            client = self._client()
            if not client.has_collection(name, timeout=self._timeout_s):
                self._create(name, wanted)
            info = client.describe_collection(name, timeout=self._timeout_s)
        stored = _stored_embedding(info)
        if stored != wanted:
            raise EmbeddingMismatch(
                f"the vector store {vector_store!r} was filled by {_embedding_words(stored)}, but the embedder is "
                f"{_embedding_words(wanted)}; use that model again, or ingest into a new vector store"
            )

    def exists(self, vector_store: str) -> bool:
        with self._border(vector_store):
            return bool(self._client().has_collection(self._name(vector_store), timeout=self._timeout_s))

    def insert(self, vector_store: str, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        for start in range(0, len(chunks), INSERT_ROWS):
            part = slice(start, start + INSERT_ROWS)
            with self._border(vector_store):
                name = self._open(vector_store)
                rows = [self._row(chunk, vector) for chunk, vector in zip(chunks[part], vectors[part], strict=True)]
                self._client().insert(name, rows, timeout=self._timeout_s)
                self._flush_sometimes(name, len(rows))

    def versions(self, vector_store: str, file_ids: Sequence[str]) -> dict[str, list[StoredFile]]:
        counts: Counter[tuple[str, str]] = Counter()
        attributes: dict[tuple[str, str], dict[str, Any]] = {}
        with self._border(vector_store):
            for row in self._rows_of(self._open(vector_store), file_ids):
                version = (row["file_id"], row["content_hash"])
                counts[version] += 1
                attributes.setdefault(version, row["attributes"])
        found: dict[str, list[StoredFile]] = {}
        for (file_id, content_hash), chunks in counts.items():
            stored = StoredFile(content_hash, chunks, attributes[file_id, content_hash])
            found.setdefault(file_id, []).append(stored)
        return found

    def delete(
        self, vector_store: str, file_id: str, *, content_hash: str | None = None, keep: str | None = None
    ) -> None:
        expression = f"file_id == {literal(file_id)}"
        if content_hash is not None:
            expression += f" and content_hash == {literal(content_hash)}"
        if keep is not None:
            expression += f" and content_hash != {literal(keep)}"
        with self._border(vector_store):
            self._client().delete(self._open(vector_store), filter=expression, timeout=self._timeout_s)

    def count(self, vector_store: str) -> int:
        with self._border(vector_store):
            name = self._open(vector_store)
            rows = self._client().query(name, filter="", output_fields=["count(*)"], timeout=self._timeout_s)
        return int(rows[0]["count(*)"])

    def dense(
        self, vector_store: str, vectors: Vectors, limit: int, filters: Mapping[str, Any] | None = None
    ) -> list[list[Match]]:
        return self._search(vector_store, "dense", list(vectors), limit, filters)

    def keyword(
        self, vector_store: str, queries: Sequence[str], limit: int, filters: Mapping[str, Any] | None = None
    ) -> list[list[Match]]:
        if not self.supports_keyword:
            with self._border(vector_store):
                self._open(vector_store)
            return [[] for _ in queries]
        return self._search(vector_store, "keyword", list(queries), limit, filters)

    def ping(self) -> None:
        with self._border():
            self._client().list_collections(timeout=self._timeout_s)

    def close(self) -> None:
        with self._lock:
            if self._connected is None:
                return
            self._connected.close()
            self._connected = None
            self._loaded.clear()
            if self._is_lite:
                # Closing the client leaves Lite's server in this process, and its lock on the file.
                server_manager_instance.release_server(self._uri)

    def _client(self) -> MilvusClient:
        with self._lock:
            if self._connected is None:
                self._connected = self._connect()
            return self._connected

    def _connect(self) -> MilvusClient:
        if not self._is_lite:
            client = MilvusClient(self._uri, token=self._token or "", timeout=self._timeout_s)
            self._has_bm25 = self._has_templates = _is_2_5(client.get_server_version(timeout=self._timeout_s))
            if not self._has_bm25:
                _log.warning("Milvus at %s is older than 2.5 and has no BM25: searches are dense only", self._shown_uri)
            return client
        Path(self._uri).absolute().parent.mkdir(parents=True, exist_ok=True)
        try:
            return MilvusClient(self._uri, timeout=self._timeout_s)
        except ConnectionConfigException as error:
            raise SetupError(
                f"the Milvus Lite file {self._uri} cannot be opened; most likely another process has it open, and only "
                "one can: stop that process, or set RAG_STORE__URI to another file or to a Milvus server"
            ) from error

    def _name(self, vector_store: str) -> str:
        """The collection's name. Milvus takes no dashes: `-` becomes `_d`, and `_` doubles to keep names apart."""
        if not _NAME.fullmatch(vector_store):
            raise InvalidRequest(
                "the name of a vector store has 1 to 64 letters, digits, dashes and underscores", param="vector_store"
            )
        return self._prefix + vector_store.replace("_", "__").replace("-", "_d")

    def _open(self, vector_store: str) -> str:
        """The collection's name, once it is loaded: after a restart Milvus Lite loads none by itself."""
        name = self._name(vector_store)
        with self._lock:
            if name not in self._loaded:
                self._client().load_collection(name, timeout=self._timeout_s)
                self._loaded.add(name)
        return name

    def _create(self, name: str, embedding: dict[str, Any]) -> None:
        client = self._client()
        about = json.dumps(embedding)
        schema = client.create_schema(auto_id=False, enable_dynamic_field=False, description=about)
        schema.add_field("chunk_id", DataType.VARCHAR, is_primary=True, max_length=128)
        for field, max_length in _STRINGS.items():
            schema.add_field(field, DataType.VARCHAR, max_length=max_length)
        for field in ("page", "start", "end"):
            schema.add_field(field, DataType.INT64)
        schema.add_field("attributes", DataType.JSON)
        schema.add_field("dense", DataType.FLOAT_VECTOR, dim=embedding["dimensions"])
        indexes = client.prepare_index_params()
        # Exact on Lite: at 5,500 rows 10 ms a search, HNSW 8 ms. The vectors have length 1, so the inner product is the
        # cosine; asked for COSINE, Lite makes all vectors that length anew in every search.
        indexes.add_index("dense", index_type="FLAT" if self._is_lite else "AUTOINDEX", metric_type="IP")
        if self._has_bm25:
            self._add_keyword_fields(schema)
            indexes.add_index("keyword", index_type="SPARSE_INVERTED_INDEX", metric_type="BM25")
        # Lite keeps properties and forgets the description; servers keep the description.
        properties = {_EMBEDDING: about} if self._is_lite else None
        client.create_collection(
            name, schema=schema, consistency_level="Strong", properties=properties, timeout=self._timeout_s
        )
        # An empty collection's indexes are ready at once: `sync` would sleep half a second for each.
        client.create_index(name, indexes, timeout=self._timeout_s, sync=False)
        client.load_collection(name, timeout=self._timeout_s)

    def _add_keyword_fields(self, schema: Any) -> None:
        analyzer = {} if self._is_lite else {"analyzer_params": {"type": "english"}}  # Lite does not stem
        schema.add_field("passage", DataType.VARCHAR, max_length=_MAX_STRING_BYTES, enable_analyzer=True, **analyzer)
        schema.add_field("keyword", DataType.SPARSE_FLOAT_VECTOR)
        bm25 = Function(
            name="bm25", function_type=FunctionType.BM25, input_field_names=["passage"], output_field_names=["keyword"]
        )
        schema.add_function(bm25)

    def _row(self, chunk: Chunk, vector: Any) -> dict[str, Any]:
        row = {field: getattr(chunk, field) for field in _FIELDS}
        row |= {"dense": vector, "attributes": dict(chunk.attributes)}
        row["page"] = _NO_PAGE if chunk.page is None else chunk.page
        if self._has_bm25:
            # Cutting it harms the search for a few last words only; `text` is kept whole.
            passage = f"{re.sub(r'[/._-]+', ' ', chunk.filename)}\n{passage_text(chunk)}"
            row["passage"] = passage.encode()[:_MAX_STRING_BYTES].decode(errors="ignore")
        return row

    def _flush_sometimes(self, name: str, rows: int) -> None:
        if not self._is_lite:
            return
        self._unflushed[name] += rows
        if self._unflushed[name] >= FLUSH_ROWS:
            self._client().flush(name, timeout=self._timeout_s)
            self._unflushed[name] = 0

    def _rows_of(self, name: str, file_ids: Sequence[str]) -> Iterator[dict[str, Any]]:
        for start in range(0, len(file_ids), INSERT_ROWS):
            iterator = self._client().query_iterator(
                name,
                batch_size=4096,  # a query alone returns 16,384 rows at most
                filter=f"file_id in {literal(list(file_ids[start : start + INSERT_ROWS]))}",
                output_fields=["file_id", "content_hash", "attributes"],
                timeout=self._timeout_s,
            )
            while rows := iterator.next():
                yield from rows
            iterator.close()

    def _search(
        self, vector_store: str, field: str, data: list[Any], limit: int, filters: Mapping[str, Any] | None
    ) -> list[list[Match]]:
        if not data:
            return []
        with self._border(vector_store, filtered=filters is not None):
            found = self._client().search(
                self._open(vector_store),  # first: connecting decides on templates
                data=data,
                anns_field=field,
                limit=limit,
                output_fields=_FIELDS,
                timeout=self._timeout_s,
                **self._filter_arguments(filters),
            )
        # BM25 scores are negative on Milvus Lite.
        sign = -1.0 if self._is_lite and field == "keyword" else 1.0
        return [[Match(_chunk(hit), sign * hit["distance"]) for hit in hits] for hits in found]

    def _filter_arguments(self, filters: Mapping[str, Any] | None) -> dict[str, Any]:
        if filters is None:
            return {}
        compiled = compile_filters(filters)
        if not self._has_templates:
            # Lite also compares as Python does: `true` equals 1 there.
            return {"filter": with_literals(compiled)}
        return {"filter": compiled.expression, "filter_params": compiled.params}

    @contextmanager
    def _border(self, vector_store: str | None = None, *, filtered: bool = False) -> Iterator[None]:
        try:
            with self._turn:
                yield
        except (MilvusException, grpc.RpcError) as error:
            raise self._translated(error, vector_store, filtered) from error

    def _translated(self, error: Exception, vector_store: str | None, filtered: bool) -> RagError:
        code = error.code if isinstance(error, MilvusException) else None
        message = error.message if isinstance(error, MilvusException) else str(error)
        if vector_store is not None and code in (*_COLLECTION_NOT_FOUND, _NOT_LOADED):
            self._loaded.discard(self._name(vector_store))
        if vector_store is not None and code in _COLLECTION_NOT_FOUND:
            return VectorStoreNotFound(f"there is no vector store {vector_store!r}", param="vector_store")
        if filtered and (code in _BAD_EXPRESSION or "expression" in message):
            return InvalidFilter("Milvus refuses this filter", param="filters")
        return DependencyUnavailable(f"Milvus at {self._shown_uri} failed: {message[:200]}")


def _stored_embedding(info: Mapping[str, Any]) -> object:
    about = info.get("properties", {}).get(_EMBEDDING) or info.get("description", "")
    try:
        return json.loads(about)
    except ValueError:
        return None


def _embedding_words(embedding: object) -> str:
    if not isinstance(embedding, dict):
        return "an unknown program"
    return f"{embedding.get('model')!r} ({embedding.get('dimensions')} dimensions)"


def _is_2_5(version: str) -> bool:
    """Whether it is 2.5 or newer; a version without a number, as some clouds have, is taken for new."""
    match = re.match(r"v?(\d+)\.(\d+)", version)
    return match is None or (int(match[1]), int(match[2])) >= (2, 5)


def _chunk(hit: Any) -> Chunk:
    fields = {field: hit["entity"][field] for field in _FIELDS}
    if fields["page"] == _NO_PAGE:
        fields["page"] = None
    return Chunk(**fields)
