"""What the flows need from the outside. Each has one real adapter and one fake that pass the same tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from rag.types import (
    Attributes,
    Chunk,
    Extract,
    Match,
    Message,
    ModelInput,
    PreparedPrompt,
    RerankKind,
    SparseVector,
    StreamEnd,
    TextDelta,
    TextKind,
    TokenCounts,
    TokenIds,
)

Vectors = npt.NDArray[np.float32]
"""Shape (texts, dimensions), one row a text, each of length 1."""
T = TypeVar("T")


class Embedder(Protocol):
    """An embedding model."""

    @property
    def model_name(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    async def encode(self, texts: Sequence[str] | Sequence[TokenIds], kind: TextKind) -> Vectors:
        """One unit vector a text, in the order given; of what is longer than the model reads, of its beginning.

        Args:
            texts: Or the ids of their tokens.

        Raises:
            InvalidRequest: the model does not know such an id, or takes none.
            DependencyUnavailable: the encoder does not answer.
        """
        ...

    async def count(self, texts: Sequence[str] | Sequence[TokenIds], kind: TextKind) -> TokenCounts:
        """How many tokens they have for this model. Raises as `encode`."""
        ...


class Embedders(Protocol):
    """The embedding models at hand: the configured one, and others by name."""

    @property
    def default(self) -> Embedder: ...

    async def named(self, model: str) -> Embedder:
        """The model of this name (a hub id or a folder), loaded now if it was not.

        Raises:
            ModelNotFound: there is none, or it cannot be loaded.
            DependencyUnavailable: the service that loads them does not answer.
        """
        ...


class SparseEmbedder(Protocol):
    """A learned sparse model, such as SPLADE: the weights of the terms that a text is about."""

    @property
    def model_name(self) -> str: ...

    async def encode(self, texts: Sequence[str], kind: TextKind) -> list[SparseVector]:
        """One vector a text, in the order given. Raises DependencyUnavailable."""
        ...


class SparseEmbedders(Protocol):
    """The sparse models at hand."""

    async def named(self, model: str) -> SparseEmbedder:
        """The model of this name (a hub id or a folder), loaded now if it was not.

        Raises:
            ModelNotFound: there is none, or it cannot be loaded.
            DependencyUnavailable: the service that loads them does not answer.
        """
        ...


class Reranker(Protocol):
    """Reads question and passages together, which finds more than their vectors say, and costs more."""

    @property
    def name(self) -> str:
        """Of the way and the model, as it stands in keys of caches and in explanations."""
        ...

    async def rerank(self, query: str, texts: Sequence[str]) -> list[float]:
        """How well each text answers the query, in [0, 1], in the order given.

        Scores of one call may depend on each other: compare those of two calls only where the model is known not to.

        Raises:
            DependencyUnavailable: the model does not answer.
        """
        ...


class Rerankers(Protocol):
    """The rerankers that compute here."""

    async def of(self, kind: RerankKind, model: str | None) -> Reranker:
        """That way of reranking with that model (a hub id or a folder), loaded now if it was not.

        Args:
            model: None: the configured one.

        Raises:
            ModelNotFound: there is none, or it cannot be loaded.
            InvalidRequest: the model is not of that kind.
        """
        ...


class VectorStore(Protocol):
    """Collections of chunks. Methods block; callers run them in threads. Safe for concurrent use.

    A collection holds chunks of many versions of documents, also of versions that no question may see yet, or any
    more: who asks tells them apart by `chunk.version_id`. A method on a collection that is not there raises
    VectorStoreNotFound.
    """

    def create(self, collection: str, dimensions: int, model_name: str, *, sparse_model: str = "") -> None:
        """Create the collection if it is not there.

        Args:
            sparse_model: The learned sparse model whose vectors its chunks have, too; empty: they have none.

        Raises:
            EmbeddingMismatch: it was filled by another model; names both.
            UnsupportedIndex: this store does not support an index that is configured, or cannot hold sparse vectors.
        """
        ...

    def drop(self, collection: str) -> None:
        """Remove the collection with all in it; nothing happens if it is not there."""
        ...

    def exists(self, collection: str) -> bool: ...

    def insert(
        self,
        collection: str,
        chunks: Sequence[Chunk],
        vectors: Vectors,
        sparse: Sequence[SparseVector] | None = None,
        *,
        again: bool = False,
    ) -> None:
        """Store chunks and their vectors (same order); searchable when the call returns.

        Args:
            sparse: Learned sparse vectors, for a collection that was created with a sparse model; else None.
            again: Some of these chunks may be there already, whole: no second row comes of it.
        """
        ...

    def copy(
        self, collection: str, version_id: str, to_version_id: str, *, file_id: str, attributes: Attributes
    ) -> int:
        """Store a version's chunks once more, with their vectors, as another version: how many.

        Chunk ids begin with the version's id in place of the old one's. What was there of `to_version_id` is replaced.
        """
        ...

    def delete(self, collection: str, version_ids: Sequence[str]) -> None:
        """Remove all chunks of these versions."""
        ...

    def count(self, collection: str, version_id: str | None = None) -> int:
        """Chunks in the collection, or of one version."""
        ...

    def chunk_ids(self, collection: str) -> list[str]:
        """Ids of all chunks, in no order, one for each row there is. For checks of whole collections."""
        ...

    def dense(
        self,
        collection: str,
        vectors: Vectors,
        limit: int,
        filters: Mapping[str, Any] | None = None,
        *,
        without: Sequence[str] = (),
    ) -> list[list[Match]]:
        """For each query vector the nearest chunks by cosine, best first, none of the versions in `without`.

        Raises:
            InvalidFilter: `filters` (OpenAI's shape) cannot be compiled.
        """
        ...

    def keyword(
        self,
        collection: str,
        queries: Sequence[str],
        limit: int,
        filters: Mapping[str, Any] | None = None,
        *,
        without: Sequence[str] = (),
    ) -> list[list[Match]]:
        """For each query the best chunks by BM25, best first. Otherwise as `dense`.

        Texts are stemmed, and stop words left out, in the language that was set when the collection was created.
        """
        ...

    def sparse(
        self,
        collection: str,
        vectors: Sequence[SparseVector],
        limit: int,
        filters: Mapping[str, Any] | None = None,
        *,
        without: Sequence[str] = (),
    ) -> list[list[Match]]:
        """For each query vector the best chunks by inner product with their sparse vectors. Otherwise as `dense`."""
        ...

    def chunks(
        self, collection: str, chunk_ids: Sequence[str], filters: Mapping[str, Any] | None = None
    ) -> list[Chunk]:
        """Those of the chunks that are there and that the filter lets through, in no order. Raises InvalidFilter."""
        ...

    def pages(self, collection: str, rows: int) -> Iterator[tuple[list[Chunk], Vectors]]:
        """All chunks with their dense vectors, `rows` at a time: for indexes that live beside this one."""
        ...

    def point_alias(self, alias: str, collection: str) -> None:
        """Make `alias` another name of the collection, taken away from where it was."""
        ...

    def drop_alias(self, alias: str) -> None:
        """Nothing happens if it is not there."""
        ...

    def ping(self) -> None:
        """Raises DependencyUnavailable when the store does not answer."""
        ...

    def close(self) -> None: ...


class Parser(Protocol):
    """Reads files apart from the service: whatever a file does, the caller goes on."""

    def parse(self, path: Path, filename: str) -> Extract:
        """The text of a file; `filename` is the name as uploaded. Blocks; safe to call from several threads.

        Raises:
            UnsupportedFile: or one of its children, with the reason. The message names the file.
        """
        ...

    def close(self) -> None:
        """End the parser's processes."""
        ...


class Steps(Protocol):
    """The steps of one job. What a finished step returned is kept: when the job goes on after a crash, it is not
    done again, and `run` returns what it returned then. So a flow must come to the same steps, in the same order, from
    the same results."""

    def run(self, name: str, work: Callable[..., T], *arguments: Any) -> T:
        """Do a step; arguments and result are JSON-like. Raises what `work` raises."""
        ...


Flow = Callable[[str, Steps], None]
"""A job's work from beginning to end, given the job's id."""


class JobEngine(Protocol):
    """Runs jobs so that none is lost: one that was accepted is finished, whatever happens to the process."""

    def start(self, flows: Mapping[str, Flow]) -> None:
        """Begin to work, and go on with what was broken off."""
        ...

    def submit(self, flow: str, job_id: str) -> None:
        """Have a job done. A second time does nothing."""
        ...

    def forget(self, job_ids: Sequence[str]) -> None:
        """Remove what is kept of jobs that have ended."""
        ...

    def stop(self) -> None:
        """Let go of the jobs in work: they go on at the next start. Called after their flows were told to stop."""
        ...


class ChatTokenizer(Protocol):
    """The language model's own tokenizer and chat template, or, where they are not at hand, an estimate of them."""

    @property
    def control_texts(self) -> Collection[str]:
        """What tokenizer or chat template take for more than text, such as `<|im_end|>`."""
        ...

    def render(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of the conversation, ready for the assistant to go on; none where they are only estimated."""
        ...

    def measure(self, messages: Sequence[Message]) -> int:
        """Tokens that the conversation has; an estimate is rather too high."""
        ...

    def count(self, text: str) -> int: ...


class Cache(Protocol):
    """Keeps bytes for a while, and may lose any of them at any time.

    A cache that does not answer is an empty one: no method raises, and none takes longer than a tenth of a second.
    """

    async def connect(self) -> None:
        """Try it before the first question, so that what is wrong is in the log and in `facts` by then."""
        ...

    async def get(self, key: str) -> bytes | None: ...

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Keep the value for so many seconds at most, in place of the one before."""
        ...

    async def near(self, group: str, vector: npt.NDArray[np.float32], min_cosine: float) -> tuple[str, bytes] | None:
        """Key and value of the nearest question of the group that was remembered and whose value is still there.

        None when there is none with at least that cosine.
        """
        ...

    async def remember(self, group: str, vector: npt.NDArray[np.float32], key: str, ttl_s: float) -> None:
        """Have `near` find the key by a question's vector, of length 1. A group keeps its newest 1,024 questions."""
        ...

    def facts(self) -> Mapping[str, Any]:
        """For readiness: its `kind`, and `degraded`, the reason, while it does not answer."""
        ...

    async def close(self) -> None: ...


TokenStream: TypeAlias = AsyncIterator[TextDelta | StreamEnd]
"""Text deltas as the model writes them, then exactly one `StreamEnd`, also for a request with several texts (`n`)."""


class Generator(Protocol):
    """A language model that streams the text it writes."""

    def generate(
        self, prompt: ModelInput, sampling: Mapping[str, Any], request_id: str, *, model: str = ""
    ) -> AbstractAsyncContextManager[TokenStream]:
        """A context that holds one request to the model.

        Entering it returns as soon as the model has accepted the request, before the first token. Leaving it stops the
        model's work on the request, whether or not the stream was read to its end.

        Args:
            sampling: vLLM's sampling parameters by their own names.
            model: Name of a loaded LoRA adapter; empty for the language model itself.

        Raises:
            InvalidRequest: on entering, if the prompt is empty or the engine rejects a parameter.
            ModelNotFound: on entering, if there is no such adapter.
            ContextLengthExceeded: on entering, if prompt and `max_tokens` together exceed the context length.
            DependencyUnavailable: if the engine is dead; the stream raises it if the engine dies while writing.
        """
        ...


class PromptPreparer(Protocol):
    """Turns a question into a prompt: searches the documents and fits the best passages into the context."""

    async def prepare(self, request: Mapping[str, Any]) -> PreparedPrompt:
        """The prompt of an answer.

        Args:
            request: The fields of `rag.http.wire.PrepareRequest`.

        Raises:
            RagError: whatever the Retriever refuses the request with.
        """
        ...


class ServiceFacts(Protocol):
    """Which services are ready, and what they report about themselves."""

    def require(self, name: str) -> Mapping[str, Any]:
        """What a service reports, as of the last readiness check. The `LLM` reports `context_tokens`.

        Raises:
            RagError: the service is not ready; says why.
        """
        ...


class Adapters(Protocol):
    """The LoRA adapters of a language model."""

    async def load(self, name: str, path: str, *, replace: bool = False) -> None:
        """Have requests of that name go to the adapter in this folder, or of this hub id.

        Args:
            replace: Take the place of one that is loaded under this name; requests in work keep theirs.

        Raises:
            Forbidden: adapters are fixed by the settings.
            Conflict: the name is taken, or as many are loaded as there is room for.
            InvalidRequest: there is no adapter, or none that fits this language model; says what is wrong with it.
        """
        ...

    async def unload(self, name: str) -> None:
        """Take no more requests for it; those in work end as they would have.

        Raises:
            Forbidden: adapters are fixed by the settings.
            ModelNotFound: there is none of this name.
        """
        ...
