"""Creates, drops and aliases collections."""

from __future__ import annotations

import contextlib
import logging

from pymilvus.exceptions import MilvusException

from rag.adapters.milvus import index_types as types
from rag.adapters.milvus.connection import MilvusConnection
from rag.adapters.milvus.index import Indexes
from rag.adapters.milvus.pymilvus_types import CollectionDescription
from rag.adapters.milvus.schema import CollectionNote, Layout, note_of
from rag.errors import EmbeddingMismatch, UnsupportedIndex
from rag.keywords import ANALYSIS_VERSION

_ALIAS_NOT_FOUND = 1600

_log = logging.getLogger(__name__)


class MilvusCollections:
    """The collections of a `rag.ports.VectorStore`.

    Args:
        indexes: Indexes of collections created from now on; existing ones keep theirs.
        language: Language of their keyword path.
    """

    def __init__(self, milvus: MilvusConnection, indexes: Indexes, language: str) -> None:
        self._milvus = milvus
        self._timeout_s = milvus.timeout_s
        self._indexes = indexes
        self._language = language
        self._reported_names: set[str] = set()

    def create(self, collection: str, note: CollectionNote) -> None:
        name = self._milvus.name(collection)
        with self._milvus.access(collection), self._milvus.lock:
            client = self._milvus.client()
            layout = Layout(note, self._indexes, self._milvus.is_lite, self._milvus.has_bm25)
            if not client.has_collection(name, timeout=self._timeout_s):
                self._check_sparse(note)
                layout.create(client, name, self._timeout_s)
            description: CollectionDescription = client.describe_collection(name, timeout=self._timeout_s)
            stored = note_of(description)
            if note.same_vectors(stored):
                layout.complete(client, name, {field["name"] for field in description["fields"]}, self._timeout_s)
                return
        raise EmbeddingMismatch(
            f"the vector store {collection!r} was created with {stored or 'an unknown program'}, but the embedder is "
            f"{note}; use that model again, or ingest into a new vector store"
        )

    def new_note(self, model: str, dimensions: int, sparse_model: str) -> CollectionNote:
        rescore_dtype = self._indexes.rescore_dtype if self._indexes.dense.index in types.BINARY else None
        return CollectionNote(model, dimensions, sparse_model, self._language, ANALYSIS_VERSION, rescore_dtype)

    def _check_sparse(self, note: CollectionNote) -> None:
        if note.sparse_model and not self._milvus.has_sparse:
            raise UnsupportedIndex(
                f"RAG_EMBEDDER__SPARSE_MODEL is {note.sparse_model}, but Milvus at {self._milvus.shown_uri} is older "
                "than 2.4 and cannot store sparse vectors beside dense ones; unset the option, or use a newer server",
                param="RAG_EMBEDDER__SPARSE_MODEL",
            )

    def drop(self, collection: str) -> None:
        name = self._milvus.name(collection)
        with self._milvus.access(collection), self._milvus.lock:
            client = self._milvus.client()
            if not client.has_collection(name, timeout=self._timeout_s):
                return
            # Some servers refuse to drop a collection with aliases; others have no such call, and drop it anyway.
            with contextlib.suppress(MilvusException):
                for alias in client.list_aliases(name, timeout=self._timeout_s)["aliases"]:
                    client.drop_alias(alias, timeout=self._timeout_s)
                    self._milvus.invalidate(alias)
            client.drop_collection(name, timeout=self._timeout_s)
            self._milvus.invalidate(name)

    def exists(self, collection: str) -> bool:
        with self._milvus.access(collection):
            return bool(self._milvus.client().has_collection(self._milvus.name(collection), timeout=self._timeout_s))

    def point_alias(self, alias: str, collection: str) -> None:
        """As the port says. If a collection has the alias's name, a warning is logged and nothing is done."""
        name, target = self._milvus.name(alias), self._milvus.name(collection)
        with self._milvus.access(collection), self._milvus.lock:
            client = self._milvus.client()
            if name in client.list_collections(timeout=self._timeout_s):
                self._warn_name_taken(alias, name)
                return
            self._milvus.load(collection)  # so that an error names the collection, not the alias
            try:
                client.create_alias(target, name, timeout=self._timeout_s)
            except MilvusException:
                client.alter_alias(target, name, timeout=self._timeout_s)
            self._milvus.invalidate(name)

    def drop_alias(self, alias: str) -> None:
        name = self._milvus.name(alias)
        with self._milvus.access(), self._milvus.lock:
            try:
                self._milvus.client().drop_alias(name, timeout=self._timeout_s)
            except MilvusException as error:
                if error.code != _ALIAS_NOT_FOUND:  # Milvus Lite raises nothing for a missing alias, servers do
                    raise
            self._milvus.invalidate(name)

    def _warn_name_taken(self, alias: str, name: str) -> None:
        if name not in self._reported_names:
            self._reported_names.add(name)
            _log.warning(
                "Milvus at %s has a collection named %s, so the vector store %r gets no alias; drop that collection if "
                "an earlier version of this project created it",
                self._milvus.shown_uri,
                name,
                alias,
            )
