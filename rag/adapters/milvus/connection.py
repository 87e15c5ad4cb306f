"""The way to Milvus, a server or a Milvus Lite file: connecting, whose turn it is, names, and errors in our words."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import grpc  # type: ignore[import-untyped]
from milvus_lite.server_manager import server_manager_instance
from pymilvus import MilvusClient
from pymilvus.exceptions import ConnectionConfigException, MilvusException

from rag.adapters.milvus import lite_sparse
from rag.adapters.milvus.fifo_lock import FifoLock
from rag.adapters.milvus.lite_crash_recovery import LiteCrashRecovery
from rag.adapters.milvus.loaded_collection import LoadedCollection, inspect_collection
from rag.errors import DependencyUnavailable, InvalidFilter, InvalidRequest, RagError, SetupError, VectorStoreNotFound

_log = logging.getLogger(__name__)
# pymilvus logs each error with its traceback, and with it the filter of the request. Here they are translated.
logging.getLogger("pymilvus").setLevel(logging.CRITICAL)

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_COLLECTION_NOT_FOUND = (4, 100)
_NOT_LOADED = 101
_BAD_EXPRESSION = (6, 1100)


class MilvusConnection:
    """Connects at the first call, and again at the next one when that failed.

    Args:
        uri: a file that ends in `.db` (Milvus Lite, one process at a time), or a server's URL.
        prefix: put before the names of collections and aliases.
    """

    def __init__(self, uri: str, token: str | None, prefix: str, timeout_s: float) -> None:
        self._uri = uri
        self._token = token
        self._prefix = prefix
        self.timeout_s = timeout_s
        self.shown_uri = re.sub(r"//[^/@]*@", "//", uri)
        self.is_lite = uri.endswith(".db")
        self.lock = threading.RLock()
        # While Milvus Lite (3.2) flushes, its newest rows are found by no search, and an insert may be lost.
        self._turn = FifoLock() if self.is_lite else nullcontext()
        self._in_use = LiteCrashRecovery(Path(uri))
        self._connected: MilvusClient | None = None
        self._opened: dict[str, LoadedCollection] = {}
        self.has_bm25 = True
        """Known of a server once it is connected to; so are the next."""
        self.has_sparse = True
        self.has_templates = False

    def client(self) -> MilvusClient:
        with self.lock:
            if self._connected is None:
                self._connected = self._connect()
            return self._connected

    def name(self, collection: str) -> str:
        """The name in Milvus, which takes no dashes: `-` becomes `_d`, and `_` doubles to keep names apart."""
        if not _NAME.fullmatch(collection):
            raise InvalidRequest(
                "the name of a vector store has 1 to 64 letters, digits, dashes and underscores", param="vector_store"
            )
        return self._prefix + collection.replace("_", "__").replace("-", "_d")

    def open(self, collection: str) -> LoadedCollection:
        """The collection, once it is loaded: after a restart Milvus Lite loads none by itself."""
        name = self.name(collection)
        with self.lock:
            if name not in self._opened:
                client = self.client()
                client.load_collection(name, timeout=self.timeout_s)
                opened = inspect_collection(client, name, self.timeout_s)
                if self.is_lite and "keyword" in opened.fields:
                    self._count_words(client, name)
                self._opened[name] = opened
            return self._opened[name]

    def _count_words(self, client: MilvusClient, name: str) -> None:
        """Milvus Lite counts a segment's words when it first searches it, and a search weighs by the counts of all."""
        client.search(name, data=["_"], anns_field="keyword", limit=1, timeout=self.timeout_s)

    def forget(self, name: str) -> None:
        """What has this name in Milvus is another collection now, or none: it is loaded when it is next opened."""
        self._opened.pop(name, None)

    @contextmanager
    def access(self, collection: str | None = None, *, filtered: bool = False) -> Iterator[None]:
        """All calls to Milvus are made in here.

        Args:
            collection: the one that the calls are about.
            filtered: a caller's filter travels with them, which may be what is wrong.
        """
        try:
            with self._turn:
                yield
        except (MilvusException, grpc.RpcError) as error:
            raise self._translated(error, collection, filtered) from error

    def close(self) -> None:
        with self.lock:
            if self._connected is None:
                return
            self._connected.close()
            self._connected = None
            self._opened.clear()
            if self.is_lite:
                # Closing the client leaves Lite's server in this process, and its lock on the file.
                server_manager_instance.release_server(self._uri)
                self._in_use.end()

    def _connect(self) -> MilvusClient:
        if not self.is_lite:
            client = MilvusClient(self._uri, token=self._token or "", timeout=self.timeout_s)
            version = _version(client.get_server_version(timeout=self.timeout_s))
            self.has_bm25 = self.has_templates = version >= (2, 5)
            self.has_sparse = version >= (2, 4)
            if not self.has_bm25:
                _log.warning("Milvus at %s is older than 2.5 and has no BM25: searches are dense only", self.shown_uri)
            return client
        lite_sparse.install()
        Path(self._uri).absolute().parent.mkdir(parents=True, exist_ok=True)
        try:
            client = MilvusClient(self._uri, timeout=self.timeout_s)
            self._in_use.begin()  # the file is ours now, and nothing is loaded from it yet
            return client
        except ConnectionConfigException as error:
            raise SetupError(
                f"the Milvus Lite file {self._uri} cannot be opened; most likely another process has it open, and only "
                "one can: stop that process, or set RAG_STORE__URI to another file or to a Milvus server"
            ) from error

    def _translated(self, error: Exception, collection: str | None, filtered: bool) -> RagError:
        code = error.code if isinstance(error, MilvusException) else None
        message = error.message if isinstance(error, MilvusException) else str(error)
        if collection is not None and code in (*_COLLECTION_NOT_FOUND, _NOT_LOADED):
            self.forget(self.name(collection))
        if collection is not None and code in _COLLECTION_NOT_FOUND:
            return VectorStoreNotFound(f"there is no vector store {collection!r}", param="vector_store")
        if filtered and (code in _BAD_EXPRESSION or "expression" in message):
            return InvalidFilter("Milvus refuses this filter", param="filters")
        return DependencyUnavailable(f"Milvus at {self.shown_uri} failed: {message[:200]}")


def _version(version: str) -> tuple[int, int]:
    """Major and minor; a version without a number, as some clouds have, is taken for new."""
    match = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else (9, 0)
