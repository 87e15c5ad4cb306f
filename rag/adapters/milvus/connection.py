"""The connection to Milvus, a server or a Milvus Lite file: names, loading, mutual exclusion and errors."""

from __future__ import annotations

import logging
import math
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import grpc  # type: ignore[import-untyped]
import pyarrow as pa  # type: ignore[import-untyped]
from milvus_lite.exceptions import DataDirLockedError, MilvusLiteError
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from rag.adapters.milvus.lite import lite_filter, lite_sparse
from rag.adapters.milvus.lite.fifo_lock import FifoLock
from rag.adapters.milvus.lite.lite_client import LiteClient
from rag.adapters.milvus.lite.lite_crash_recovery import LiteCrashRecovery
from rag.adapters.milvus.lite.lite_server import LiteServer
from rag.adapters.milvus.loaded_collection import LoadedCollection, inspect_collection
from rag.errors import DependencyUnavailable, InvalidFilter, InvalidRequest, RagError, SetupError, VectorStoreNotFound
from rag.telemetry import retrieval as metrics
from rag.telemetry.retrieval import MilvusOperation

_log = logging.getLogger(__name__)
# Its messages contain the filters of requests (docs/bentoml_issues.md#m12); errors are translated and reported here.
logging.getLogger("pymilvus").setLevel(logging.CRITICAL)

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_COLLECTION_NOT_FOUND = (4, 100)
_NOT_LOADED = 101
_BAD_EXPRESSION = (6, 1100)
_JUST_S = 1.0


class MilvusConnection:
    """A connection that is made at the first call, and made again at the next call if that failed.

    Args:
        uri: A file that ends in `.db` (Milvus Lite, one process at a time), or the URL of a server.
        prefix: Prepended to the names of collections and aliases.
    """

    def __init__(self, uri: str, token: str | None, prefix: str, timeout_s: float) -> None:
        self._uri = uri
        self._token = token
        self._prefix = prefix
        self.timeout_s = timeout_s
        self.shown_uri = re.sub(r"//[^/@]*@", "//", uri)
        """The URI without user and password."""
        self.is_lite = uri.endswith(".db")
        self.lock = threading.RLock()
        # Milvus Lite must not be searched while it flushes (docs/bentoml_issues.md#m1).
        self._exclusive = FifoLock() if self.is_lite else nullcontext()
        self._crash_recovery = LiteCrashRecovery(Path(uri))
        self._lite_server: LiteServer | None = None
        self._client: MilvusClient | None = None
        self._answered_at = -math.inf
        self._loaded: dict[str, LoadedCollection] = {}
        self.has_bm25 = True
        """Whether Milvus computes BM25. Like the following two, known once a server is connected."""
        self.has_sparse = True
        """Whether a collection can have sparse vectors beside dense ones."""
        self.has_templates = False
        """Whether filters can have parameters."""

    @property
    def has_just_answered(self) -> bool:
        """Whether a call to it has succeeded within the last second."""
        return self._client is not None and time.monotonic() - self._answered_at < _JUST_S

    def client(self) -> MilvusClient:
        with self.lock:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def name(self, collection: str) -> str:
        """The name in Milvus, which allows no dashes: `-` becomes `_d`, and `_` is doubled to keep names distinct."""
        if not _NAME.fullmatch(collection):
            raise InvalidRequest(
                "vector_store: a name must be 1 to 64 letters, digits, dashes and underscores", param="vector_store"
            )
        return self._prefix + collection.replace("_", "__").replace("-", "_d")

    def load(self, collection: str) -> LoadedCollection:
        """The collection, loaded if it was not: after a restart Milvus Lite loads none (docs/bentoml_issues.md#m5)."""
        name = self.name(collection)
        with self.lock:
            if name not in self._loaded:
                client = self.client()
                client.load_collection(name, timeout=self.timeout_s)
                loaded = inspect_collection(client, name, self.timeout_s)
                if self.is_lite and "keyword" in loaded.fields:
                    self._warm_up_keyword_index(client, name)
                self._loaded[name] = loaded
            return self._loaded[name]

    def loaded(self, collection: str) -> LoadedCollection | None:
        """The collection if it is loaded already. Never waits."""
        return self._loaded.get(self.name(collection))

    def _warm_up_keyword_index(self, client: MilvusClient, name: str) -> None:
        """Build the keyword index of each segment now rather than at the first question (docs/bentoml_issues.md#m3)."""
        client.search(name, data=["_"], anns_field="keyword", limit=1, timeout=self.timeout_s)

    def invalidate(self, name: str) -> None:
        """Inspect the collection again when it is next used, because it was dropped or replaced."""
        self._loaded.pop(name, None)

    @contextmanager
    def access(
        self, collection: str | None = None, *, filtered: bool = False, operation: MilvusOperation = "other"
    ) -> Iterator[None]:
        """A context for calls to Milvus: exclusive on Milvus Lite, with pymilvus's errors translated.

        Args:
            collection: The collection that the calls are about.
            filtered: Whether the calls contain the filter of a request, which may be what Milvus rejects.
            operation: The label of their metrics.
        """
        with metrics.milvus_operation(operation):
            try:
                with self._exclusive:
                    yield
                    self._answered_at = time.monotonic()
            except (MilvusException, grpc.RpcError) as error:
                raise self._translated(error, collection, filtered) from error

    def close(self) -> None:
        with self.lock:
            if self._client is None:
                return
            self._client.close()
            self._client = None
            self._loaded.clear()
            if self._lite_server is not None:
                self._lite_server.close()
                self._lite_server = None
                self._crash_recovery.mark_closed()

    def _connect(self) -> MilvusClient:
        return self._open_lite() if self.is_lite else self._connect_to_server()

    def _connect_to_server(self) -> MilvusClient:
        client = MilvusClient(self._uri, token=self._token or "", timeout=self.timeout_s)
        version = _version(client.get_server_version(timeout=self.timeout_s))
        self.has_bm25 = self.has_templates = version >= (2, 5)
        self.has_sparse = version >= (2, 4)
        if not self.has_bm25:
            _log.warning("Milvus at %s is older than 2.5 and has no BM25: searches are dense only", self.shown_uri)
        return client

    def _open_lite(self) -> MilvusClient:
        lite_sparse.install()
        lite_filter.install()
        pa.set_memory_pool(pa.system_memory_pool())  # Arrow's default one keeps memory for each thread that searches
        Path(self._uri).absolute().parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lite_server = self._lite_server or LiteServer(Path(self._uri))
        except DataDirLockedError as error:
            raise SetupError(
                f"the Milvus Lite file {self._uri} cannot be opened, because another process has it open; "
                "stop that process, or set RAG_STORE__URI to another file or to a Milvus server"
            ) from error
        except (MilvusLiteError, OSError) as error:
            raise SetupError(f"the Milvus Lite file {self._uri} cannot be opened: {error}") from error
        client = LiteClient(self._lite_server, timeout=self.timeout_s)
        self._crash_recovery.recover_and_mark_open()  # the file is locked now, and nothing is loaded from it yet
        return client

    def _translated(self, error: Exception, collection: str | None, filtered: bool) -> RagError:
        code = error.code if isinstance(error, MilvusException) else None
        message = error.message if isinstance(error, MilvusException) else str(error)
        if collection is not None and code in (*_COLLECTION_NOT_FOUND, _NOT_LOADED):
            self.invalidate(self.name(collection))
        if collection is not None and code in _COLLECTION_NOT_FOUND:
            return VectorStoreNotFound(f"there is no vector store {collection!r}", param="vector_store")
        if filtered and (code in _BAD_EXPRESSION or "expression" in message):
            return InvalidFilter("filters: Milvus rejects this filter", param="filters")
        return DependencyUnavailable(f"Milvus at {self.shown_uri} failed: {message[:200]}")


def _version(version: str) -> tuple[int, int]:
    """Major and minor version; a version without numbers, as some cloud services have, counts as newest."""
    match = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else (9, 0)
