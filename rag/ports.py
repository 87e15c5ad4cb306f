"""Interfaces (ports) to everything outside the core logic: models, stores, caches, job engine, other services.

Each port is implemented by an adapter and, for tests, by a fake; both pass the same contract tests (`tests/contract`).
"""

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
    Facts,
    FilterObject,
    JsonMapping,
    Match,
    Message,
    ModelInput,
    PreparedPrompt,
    RerankKind,
    SamplingParameters,
    SparseVector,
    StreamEnd,
    TextDelta,
    TextKind,
    TokenCounts,
    TokenIds,
)

Vectors = npt.NDArray[np.float32]
"""Shape (texts, dimensions); each row is a unit vector."""
T = TypeVar("T")


class Embedder(Protocol):
    """An embedding model."""

    @property
    def model_name(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    async def encode(self, texts: Sequence[str] | Sequence[TokenIds], kind: TextKind) -> Vectors:
        """One unit vector for each text, in the same order. Texts longer than the model's limit are truncated.

        Args:
            texts: Texts, or the token ids of texts.

        Raises:
            InvalidRequest: a token id is not in the model's vocabulary, or the model does not accept token ids.
            DependencyUnavailable: the service that runs the model does not respond.
        """
        ...

    async def count(self, texts: Sequence[str] | Sequence[TokenIds], kind: TextKind) -> TokenCounts:
        """The length of each text in tokens of this model. Raises as `encode` does."""
        ...


class Embedders(Protocol):
    """The available embedding models: the configured one, and others by name."""

    @property
    def default(self) -> Embedder: ...

    async def named(self, model: str) -> Embedder:
        """The model with this name (a Hugging Face id or a folder). It is loaded if necessary.

        Raises:
            ModelNotFound: the model does not exist or cannot be loaded.
            DependencyUnavailable: the service that runs the models does not respond.
        """
        ...


class SparseEmbedder(Protocol):
    """A learned sparse model, such as SPLADE."""

    @property
    def model_name(self) -> str: ...

    async def encode(self, texts: Sequence[str], kind: TextKind) -> list[SparseVector]:
        """One sparse vector for each text, in the same order. Raises DependencyUnavailable."""
        ...


class SparseEmbedders(Protocol):
    """The available sparse models, by name."""

    async def named(self, model: str) -> SparseEmbedder:
        """The model with this name (a Hugging Face id or a folder). It is loaded if necessary.

        Raises:
            ModelNotFound: the model does not exist or cannot be loaded.
            DependencyUnavailable: the service that runs the models does not respond.
        """
        ...


class Reranker(Protocol):
    """Scores passages by reading them together with the query: slower than comparing vectors, but more accurate."""

    @property
    def name(self) -> str:
        """Kind and model, for cache keys and explanations."""
        ...

    async def rerank(self, query: str, texts: Sequence[str]) -> list[float]:
        """The relevance of each text to the query, in [0, 1], in the same order.

        Scores may depend on the other texts of the same call, so do not compare scores of different calls.

        Raises:
            DependencyUnavailable: the model does not respond.
        """
        ...


class Rerankers(Protocol):
    """The rerankers that run in this process."""

    async def of(self, kind: RerankKind, model: str | None) -> Reranker:
        """The reranker of this kind with this model (a Hugging Face id or a folder). It is loaded if necessary.

        Args:
            model: None for the configured model.

        Raises:
            ModelNotFound: the model does not exist or cannot be loaded.
            InvalidRequest: the model is of another kind.
        """
        ...


class VectorStore(Protocol):
    """Collections of chunks with their vectors, such as Milvus.

    Methods block, so call them from worker threads; concurrent calls are safe. A collection contains chunks of all
    versions of a document, including versions that are not visible yet or no longer: the caller tells them apart by
    `chunk.version_id`. Every method raises VectorStoreNotFound if its collection does not exist, unless it says
    otherwise.
    """

    def create(self, collection: str, dimensions: int, model_name: str, *, sparse_model: str = "") -> None:
        """Create the collection unless it exists.

        Args:
            sparse_model: The learned sparse model whose vectors its chunks have as well; empty for none.

        Raises:
            EmbeddingMismatch: the collection exists and its vectors are of another model; names both models.
            UnsupportedIndex: this store does not support a configured index, or cannot store sparse vectors.
        """
        ...

    def drop(self, collection: str) -> None:
        """Delete the collection. Does nothing if it does not exist."""
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
        """Store chunks and their vectors, given in the same order. They are searchable when the call returns.

        Args:
            sparse: Learned sparse vectors, if the collection was created with a sparse model; else None.
            again: Some of these chunks may be stored already; none is stored twice.
        """
        ...

    def copy(
        self, collection: str, version_id: str, to_version_id: str, *, file_id: str, attributes: Attributes
    ) -> int:
        """Copy the chunks of one version, with their vectors, to another version. Returns the number of chunks.

        The prefix of each chunk id is replaced by the new version's id. Existing chunks of `to_version_id` are
        replaced.
        """
        ...

    def delete(self, collection: str, version_ids: Sequence[str]) -> None:
        """Delete all chunks of these versions."""
        ...

    def count(self, collection: str, version_id: str | None = None) -> int:
        """The number of chunks in the collection, or of one version in it."""
        ...

    def chunk_ids(self, collection: str) -> list[str]:
        """The ids of all chunks, one for each stored row, in any order. For consistency checks."""
        ...

    def dense(
        self,
        collection: str,
        vectors: Vectors,
        limit: int,
        filters: FilterObject | None = None,
        *,
        without: Sequence[str] = (),
    ) -> list[list[Match]]:
        """For each query vector the nearest chunks by cosine similarity, best first.

        Args:
            without: Ids of versions whose chunks are excluded.

        Raises:
            InvalidFilter: `filters` cannot be translated for this store.
        """
        ...

    def keyword(
        self,
        collection: str,
        queries: Sequence[str],
        limit: int,
        filters: FilterObject | None = None,
        *,
        without: Sequence[str] = (),
    ) -> list[list[Match]]:
        """For each query the best chunks by BM25, best first. Arguments and errors as for `dense`.

        Stemming and stop words are those of the language that was configured when the collection was created.
        """
        ...

    def sparse(
        self,
        collection: str,
        vectors: Sequence[SparseVector],
        limit: int,
        filters: FilterObject | None = None,
        *,
        without: Sequence[str] = (),
    ) -> list[list[Match]]:
        """For each query vector the best chunks by inner product of sparse vectors. Otherwise as `dense`."""
        ...

    def chunks(self, collection: str, chunk_ids: Sequence[str], filters: FilterObject | None = None) -> list[Chunk]:
        """Those of the chunks that exist and match the filter, in any order. Raises InvalidFilter."""
        ...

    def pages(self, collection: str, rows: int) -> Iterator[tuple[list[Chunk], Vectors]]:
        """All chunks with their dense vectors, at most `rows` at a time. For indexes outside of this store."""
        ...

    def point_alias(self, alias: str, collection: str) -> None:
        """Make `alias` an alias of this collection, and of no other."""
        ...

    def drop_alias(self, alias: str) -> None:
        """Delete an alias. Does nothing if it does not exist."""
        ...

    def ping(self) -> None:
        """Raises DependencyUnavailable if the store does not respond."""
        ...

    def close(self) -> None: ...


class Parser(Protocol):
    """Extracts the text of files, isolated from this process: no file can crash it or exhaust its memory."""

    def parse(self, path: Path, filename: str, charset: str = "") -> Extract:
        """The text of a file. Blocks; concurrent calls from several threads are safe.

        Args:
            filename: The name as uploaded.
            charset: The encoding of a text file as its upload declares it; empty: not declared.

        Raises:
            UnsupportedFile: or a subclass, with the reason. The message contains the file name.
        """
        ...

    def close(self) -> None:
        """Stop the parser's processes."""
        ...


class Steps(Protocol):
    """The steps of one job.

    The result of each finished step is stored. When a job resumes after a crash, `run` returns the stored result of a
    finished step without running it again. A flow must therefore be deterministic: the same results lead to the same
    next steps.
    """

    def run(self, name: str, work: Callable[..., T], *arguments: Any) -> T:
        """Run one step. Arguments and result must be serializable as JSON. Raises what `work` raises."""
        ...


Flow = Callable[[str, Steps], None]
"""All the work of a job, given the job's id."""


class JobEngine(Protocol):
    """Runs jobs durably: a job that was submitted will be finished, even if the process crashes."""

    def start(self, flows: Mapping[str, Flow]) -> None:
        """Start the engine and resume interrupted jobs."""
        ...

    def submit(self, flow: str, job_id: str) -> None:
        """Queue a job. Does nothing if it was submitted before."""
        ...

    def forget(self, job_ids: Sequence[str]) -> None:
        """Delete the stored results of jobs that have ended."""
        ...

    def stop(self) -> None:
        """Stop the engine; running jobs resume at the next start. Tell their flows to stop first."""
        ...


class ChatTokenizer(Protocol):
    """The language model's tokenizer with its chat template, or an estimate if they are not available here."""

    @property
    def control_texts(self) -> Collection[str]:
        """Texts that tokenizer or chat template treat as control tokens, such as `<|im_end|>`."""
        ...

    def render(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of the conversation, followed by the assistant's turn marker; empty if this is an estimate."""
        ...

    def measure(self, messages: Sequence[Message]) -> int:
        """The length of the rendered conversation in tokens. An estimate errs on the high side."""
        ...

    def count(self, text: str) -> int:
        """The length of a text in tokens."""
        ...


class Cache(Protocol):
    """A cache of byte strings that may lose any entry at any time.

    A cache that does not respond behaves like an empty one: no method raises or takes longer than 0.1 s.
    """

    async def connect(self) -> None:
        """Test the connection at startup, so that a problem appears in the log and in `facts` early."""
        ...

    async def get(self, key: str) -> bytes | None: ...

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Store the value for at most `ttl_s` seconds, replacing any earlier one."""
        ...

    async def near(self, group: str, vector: npt.NDArray[np.float32], min_cosine: float) -> tuple[str, bytes] | None:
        """Key and value of the most similar question of the group whose value is still stored.

        None if no question has at least this cosine similarity.
        """
        ...

    async def remember(self, group: str, vector: npt.NDArray[np.float32], key: str, ttl_s: float) -> None:
        """Make a key findable by `near` through its question's unit vector.

        A group contains its 1,024 most recent questions.
        """
        ...

    def facts(self) -> Facts:
        """For the readiness report: `kind`, and `degraded` with the reason if the cache does not respond."""
        ...

    async def close(self) -> None: ...


TokenStream: TypeAlias = AsyncIterator[TextDelta | StreamEnd]
"""Text deltas as the model writes them, then exactly one `StreamEnd`, also for a request with several texts (`n`)."""


class Generator(Protocol):
    """A language model that streams the text it writes."""

    def generate(
        self, prompt: ModelInput, sampling: SamplingParameters, request_id: str, *, model: str = ""
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

    async def prepare(self, request: JsonMapping) -> PreparedPrompt:
        """The prompt of an answer.

        Args:
            request: The fields of `rag.http.wire.PrepareRequest`.

        Raises:
            RagError: whatever the Retriever refuses the request with.
        """
        ...


class ServiceFacts(Protocol):
    """Which services are ready, and what they report about themselves."""

    def require(self, name: str) -> Facts:
        """What a service reports, as of the last readiness check. The `LLM` reports `context_tokens`.

        Raises:
            RagError: the service is not ready; says why.
        """
        ...


class Adapters(Protocol):
    """The LoRA adapters of a language model."""

    async def load(self, name: str, path: str, *, replace: bool = False) -> None:
        """Load the adapter in this folder, or with this Hugging Face id, under a name that requests can use as model.

        Args:
            replace: Replace an adapter of the same name; requests that are running keep the old one.

        Raises:
            Forbidden: the settings fix which adapters there are.
            Conflict: the name is in use, or the maximum number of adapters is loaded.
            InvalidRequest: there is no adapter there, or it does not fit this language model; says why.
        """
        ...

    async def unload(self, name: str) -> None:
        """Accept no more requests for the adapter; running ones finish normally.

        Raises:
            Forbidden: the settings fix which adapters there are.
            ModelNotFound: no adapter of this name is loaded.
        """
        ...
