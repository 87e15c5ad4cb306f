"""Settings -> wired objects: the only place that picks concrete classes.

Heavy libraries are imported inside the functions, so that each process loads only what it needs.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rag import config
from rag.blobs import BlobFolder
from rag.config import LLMSettings, Settings
from rag.errors import SetupError, Unavailable
from rag.http.dependencies import Dependencies
from rag.http.embedder_api import EmbedderApi
from rag.http.lifecycle import Lifecycle
from rag.http.llm_api import LlmApi
from rag.http.rag_api import RagApi
from rag.http.request_id import RequestIdFilter
from rag.http.resource import Resource
from rag.http.retriever_api import RetrieverApi, RetrieverParts
from rag.http.service_client import ServiceClient
from rag.ports import Embedders, VectorStore
from rag.records import Strategy
from rag.types import Extract, Passage

if TYPE_CHECKING:
    from rag.adapters.vllm_engine import VllmEngine
    from rag.http.remote import RemoteEmbedders
    from rag.library.archive import Archive

_MIB = 2**20


@functools.cache
def settings() -> Settings:
    return config.load()


def lifecycle(name: str, *, is_edge: bool = False) -> Lifecycle:
    return Lifecycle(name, is_edge=is_edge, drain_timeout_s=settings().server.drain_timeout_s)


def edge_options(life: Lifecycle) -> dict[str, Any]:
    """Options of `rag.http.edge.Edge` for this service."""
    options = settings()
    upload, body = options.ingest.max_request_mib * _MIB, options.server.max_body_mib * _MIB
    inner = 64 * _MIB
    return {
        "lifecycle": life,
        "max_in_flight": options.server.max_in_flight,
        "max_body_bytes": {"*": body if life.is_edge else inner, "/ingest": upload, "/v1/files": upload},
        "access_log": options.server.access_log and life.is_edge,
    }


def configure_logging() -> None:
    """One line a record on stderr, with the request's id."""
    handler = logging.StreamHandler()
    handler.addFilter(RequestIdFilter())
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(request_id)s: %(message)s"))
    root = logging.getLogger("rag")
    root.handlers, root.propagate = [handler], False
    root.setLevel(logging.INFO)


def address_of(service: Any) -> str:
    """Where a BentoML service of this bundle answers; empty when it is not being served."""
    url: str | None = service.url
    return url or ""


def rag_api(addresses: Mapping[str, str], own_url: str) -> RagApi:
    """The edge. `addresses`: URLs of the services named `Retriever` and `LLM`."""
    options = settings()
    clients = {name: _client(name, url) for name, url in addresses.items()}
    where = own_url or "the service's address"
    ready = f"ready: Swagger UI and APIs at {where} - try: python -m rag ingest docs; python -m rag ask 'What is this?'"
    return RagApi(
        Dependencies(clients, ready_message=ready),
        sampling=_answer_sampling(options.llm),
        retrieve_timeout_s=options.server.retrieve_timeout_s,
        answer_timeout_s=options.server.answer_timeout_s,
        keep_alive_s=options.server.keep_alive_s,
    )


def _answer_sampling(options: LLMSettings) -> dict[str, Any]:
    sampling: dict[str, Any] = {"max_tokens": options.max_tokens, "temperature": options.temperature}
    if options.stop_repetition:
        sampling["repetition_detection"] = {"max_pattern_size": 64, "min_pattern_size": 2, "min_count": 4}
    return sampling


def retriever_api(embedder_url: str) -> tuple[RetrieverApi, ServiceClient]:
    options = settings()
    client = _client("Embedder", embedder_url)
    parts = Resource("the retriever", lambda: _retriever_parts(client))
    chosen = options.retrieve
    api = RetrieverApi(
        parts,
        top_k=chosen.top_k,
        mode=chosen.mode,
        min_cosine=chosen.min_cosine,
        incoming=_blobs().incoming,
        max_file_bytes=options.ingest.max_file_mib * _MIB,
        embedder_ready=client.ready,
    )
    return api, client


async def _retriever_parts(client: ServiceClient) -> RetrieverParts:
    from rag.http.remote import RemoteEmbedders
    from rag.retrieve.search import Searcher

    options = settings()
    store, tokenizer, database = await asyncio.gather(
        asyncio.to_thread(_store), asyncio.to_thread(_tokenizer), asyncio.to_thread(_database)
    )
    embedders = RemoteEmbedders(client)
    await _connected(embedders)
    archive = await asyncio.to_thread(_archive, embedders, store, database, asyncio.get_running_loop())
    searcher = Searcher(
        archive.encoders,
        store,
        archive.views,
        archive.leases,
        candidates=options.retrieve.candidates,
        dense_weight=options.retrieve.dense_weight,
    )
    return RetrieverParts(store, searcher, archive.library, tokenizer, archive.library.check_default, archive.stop)


def _archive(embedders: Embedders, store: VectorStore, database: Any, loop: asyncio.AbstractEventLoop) -> Archive:
    from rag.adapters.dbos_jobs import DbosJobs
    from rag.adapters.parser_process import ParserLimits, ParserProcess
    from rag.chunkers import RecursiveStrategy
    from rag.library.archive import Archive, Tools
    from rag.readers.ocr import missing_ocr

    options = settings()
    chosen = options.ingest
    if chosen.ocr and (missing := missing_ocr()):
        raise SetupError(f"RAG_INGEST__OCR: {missing}", param="RAG_INGEST__OCR")
    limits = ParserLimits(timeout_s=chosen.parse_timeout_s, memory_mib=chosen.parse_memory_mib)
    tools = Tools(
        database=database,
        blobs=_blobs(),
        store=store,
        parser=ParserProcess(limits, ocr_languages=chosen.ocr, folder=_blobs().incoming),
        embedders=embedders,
        engine=DbosJobs(options.jobs_url, at_once=chosen.jobs),
        cut=_cut,
        chunking=RecursiveStrategy(chosen.chunk_chars, int(chosen.chunk_chars * chosen.overlap)),
    )
    archive = Archive(tools, loop)
    archive.start()
    return archive


def _cut(extract: Extract, strategy: Strategy) -> Sequence[Passage]:
    from rag.chunkers import TokenStrategy, chunker_for
    from rag.chunkers.strategy import from_json

    chosen = from_json(strategy)
    return chunker_for(chosen, _encoder_tokenizer() if isinstance(chosen, TokenStrategy) else None).chunk(extract)


@functools.cache
def _encoder_tokenizer() -> Any:
    from rag.adapters import model_files
    from rag.adapters.encoder_tokenizer import encoder_tokenizer

    return encoder_tokenizer(model_files.embedder_folder(settings()))


@functools.cache
def _database() -> Any:
    from rag.catalog.database import Database

    return Database(settings().catalog_url)


@functools.cache
def _blobs() -> BlobFolder:
    return BlobFolder(settings().blobs_dir)


async def _connected(embedders: RemoteEmbedders) -> None:
    while True:
        try:
            await embedders.connect()
            return
        except Unavailable:
            await asyncio.sleep(0.5)


@functools.cache
def _store() -> Any:
    from threadpoolctl import threadpool_limits

    from rag.adapters.milvus_store import MilvusStore

    # Milvus Lite searches with NumPy: one query is too little work to share between threads.
    threadpool_limits(limits=1, user_api="blas")
    sys.setswitchinterval(0.0005)  # Milvus Lite is Python in threads of this process; 5 ms a turn would add up
    options = settings()
    token = options.store.token.get_secret_value() if options.store.token else None
    return MilvusStore(options.store_uri, token, options.store.prefix, options.store.timeout_s)


@functools.cache
def _tokenizer() -> Any:
    from rag.adapters import model_files
    from rag.adapters.hf_tokenizer import HfChatTokenizer

    return HfChatTokenizer(model_files.tokenizer_folder(settings()))


def embedder_api() -> EmbedderApi:
    async def load() -> Embedders:
        return await asyncio.to_thread(_load_embedders)

    return EmbedderApi(Resource("the encoder", load))


def _load_embedders() -> Embedders:
    os.environ.setdefault("TQDM_DISABLE", "1")  # a progress bar of 0.1 s in the log, and a lock that exits can hang on
    from rag.adapters import model_files
    from rag.adapters.encoders import Encoders
    from rag.adapters.st_embedder import ComputeTurn, StEmbedder

    options, turn = settings(), ComputeTurn()

    def load(model: str) -> StEmbedder:
        name = None if model == config.EMBEDDED_ENCODER else model
        # What is set of prefixes is meant for the configured model.
        own = options.embedder.model_copy(update={"model": name, "query_prefix": None, "passage_prefix": None})
        return StEmbedder(model_files.embedder_folder(options.model_copy(update={"embedder": own})), own, turn)

    return Encoders(StEmbedder(model_files.embedder_folder(options), options.embedder, turn), load)


def llm_api() -> tuple[LlmApi, VllmEngine]:
    from rag.adapters import model_files
    from rag.adapters.vllm_engine import VllmEngine

    options = settings()
    engine = VllmEngine(model_files.llm_folder(options), options.llm)
    server = options.server
    return LlmApi(engine, keep_alive_s=server.keep_alive_s, timeout_s=server.answer_timeout_s), engine


def prepare_model(part: Literal["llm", "encoder", "tokenizer"]) -> None:
    """Fetch or make a model before the service's process starts, in a process of its own.

    Raises:
        SystemExit: it is not to be had; what to do has been printed.
    """
    command = [sys.executable, "-m", "rag", "prepare", "--quiet", "--only", part]
    sources = str(Path(__file__).resolve().parents[1])  # in a Bento, which is served from any folder
    path = os.pathsep.join(filter(None, (sources, os.environ.get("PYTHONPATH"))))
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)


def _client(name: str, url: str) -> ServiceClient:
    headers = {"Runner-Name": name}
    if key := os.environ.get("BENTO_CLOUD_API_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    return ServiceClient(name, url, headers)
