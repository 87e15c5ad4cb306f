"""OpenAI's and OGX's clients, adapted to this service for OGX's integration tests.

They leave out the parameters that only OGX has, or say the same in OpenAI's words. They wait until attached files are
indexed: OGX attaches them before it answers, as OpenAI does not. They hide the vector store `default`, which always
exists, and express OGX's native `/v1/vector-io` by uploads and searches.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from ogx_client import OgxClient
from openai import OpenAI

URL = os.environ.get("RAG_URL", "http://localhost:3000")
LANGUAGE_MODEL = os.environ.get("OGX_TEXT_MODEL", "smollm2-135m-instruct")
ENCODER = os.environ.get("OGX_EMBEDDING_MODEL", "all-MiniLM-L6-v2")
ONLY_OGX = ("embedding_model", "embedding_dimension", "provider_id", "search_mode", "max_infer_iters")
"""Parameters of OGX's API that OpenAI's does not have."""
ONLY_OGX_QUERY = ("include_embeddings", "include_metadata")
_OGX_RANKERS = ("weighted", "rrf", "neural")
_ATTACHED = re.compile(r"(?:/v1)?/vector_stores/[^/]+/(files|file_batches)$")
_STORES = re.compile(r"(?:/v1)?/vector_stores$")
_INDEX_TIMEOUT_S = 120.0


class _Adapted:
    """Mixed into a client that Stainless generated: all of its requests pass through `request`."""

    def request(self, cast_to: Any, options: Any, **more: Any) -> Any:
        _leave_out(options)
        answer = super().request(cast_to, options, **more)  # type: ignore[misc]
        if more.get("stream"):
            answer._iterator = _with_response_ids(answer._iterator)
            return answer
        if options.method.lower() == "post":
            return self._indexed(cast_to, options.url, answer)
        if _STORES.match(options.url) and hasattr(answer, "data"):
            answer.data = [store for store in answer.data if store.name != "default"]
        return answer

    def _indexed(self, cast_to: Any, url: str, answer: Any) -> Any:
        """The answer as it is once all files are indexed."""
        attached = _ATTACHED.match(url)
        if not (attached or _STORES.match(url)):
            return answer
        deadline = time.monotonic() + _INDEX_TIMEOUT_S
        while getattr(answer, "status", "") == "in_progress" and time.monotonic() < deadline:
            time.sleep(0.2)
            answer = self.get(f"{url}/{answer.id}", cast_to=cast_to)  # type: ignore[attr-defined]
        return answer


def _with_response_ids(events: Iterator[Any]) -> Iterator[Any]:
    """OGX's events of a part name their response, which the first event does at OpenAI."""
    response_id = ""
    for event in events:
        kind = getattr(event, "type", "")
        if kind == "response.created":
            response_id = event.response.id
        elif kind.startswith("response.content_part."):
            event.response_id = response_id
        yield event


def _leave_out(options: Any) -> None:
    for container in (options.json_data, getattr(options, "extra_json", None)):
        if isinstance(container, dict):
            for name in ONLY_OGX:
                container.pop(name, None)
            if isinstance(container.get("ranking_options"), dict):
                container["ranking_options"] = _ranking(container["ranking_options"])
            _approve(container.get("tools"))
    if isinstance(options.params, dict):
        options.params = {name: value for name, value in options.params.items() if name not in ONLY_OGX_QUERY}
        if isinstance(limit := options.params.get("limit"), int):
            options.params["limit"] = min(limit, 100)  # OpenAI's maximum


def _approve(tools: Any) -> None:
    """OGX calls the tools of MCP servers without asking, unless the request says so; OpenAI asks."""
    for tool in tools if isinstance(tools, list) else ():
        if isinstance(tool, dict) and tool.get("type") == "mcp":
            tool.setdefault("require_approval", "never")


def _ranking(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """OpenAI's `ranking_options` for OGX's rankers, whose `alpha` is the weight of vector search."""
    kept = {name: value for name, value in options.items() if name in ("ranker", "score_threshold", "hybrid_search")}
    if kept.get("ranker") in _OGX_RANKERS:
        del kept["ranker"]
    if "alpha" in options:
        kept["hybrid_search"] = {"embedding_weight": options["alpha"], "text_weight": 1 - options["alpha"]}
    return kept


class OpenAiShim(_Adapted, OpenAI):
    pass


class OgxShim(_Adapted, OgxClient):
    """Knows its providers and models without asking OGX's administration."""

    @property
    def providers(self) -> Any:  # type: ignore[override]
        return SimpleNamespace(list=_providers)

    @property
    def models(self) -> Any:  # type: ignore[override]
        return _Models(super().models)

    @property
    def vector_io(self) -> Any:  # type: ignore[override]
        return _VectorIo(self)


def _providers() -> list[SimpleNamespace]:
    kinds = {
        "inference": ("rag", "remote::rag"),
        "vector_io": ("inline::milvus", "inline::milvus"),
        "files": ("rag", "inline::rag"),
    }
    return [SimpleNamespace(api=api, provider_id=name, provider_type=kind) for api, (name, kind) in kinds.items()]


class _Models:
    def __init__(self, models: Any) -> None:
        self._models = models

    def __getattr__(self, name: str) -> Any:
        return getattr(self._models, name)

    def list(self) -> Any:
        """The models, with what OGX adds to them."""
        page = self._models.list()
        models = getattr(page, "data", page)
        for model in models:
            kind = "embedding" if model.id == ENCODER else "llm"
            metadata = {"provider_id": "rag", "provider_resource_id": model.id, "model_type": kind}
            model.custom_metadata = {**metadata, "embedding_dimension": 384} if kind == "embedding" else metadata
        return SimpleNamespace(data=list(models))


class _VectorIo:
    """OGX's native `/v1/vector-io`: a chunk becomes a file with the chunk's metadata as attributes."""

    def __init__(self, client: OgxShim) -> None:
        self._client = client

    def insert(self, *, vector_store_id: str, chunks: Any, **_: Any) -> None:
        files = []
        for chunk in chunks:
            chunk = chunk if isinstance(chunk, Mapping) else chunk.model_dump()
            name = f"{chunk['chunk_id']}.txt"
            file = self._client.files.create(file=(name, str(chunk["content"]).encode()), purpose="assistants")
            attributes = {key: value for key, value in chunk.get("metadata", {}).items() if value is not None}
            files.append({"file_id": file.id, "attributes": attributes})
        body = {"files": files}
        batch = self._client.post(f"/v1/vector_stores/{vector_store_id}/file_batches", cast_to=object, body=body)
        url = f"/v1/vector_stores/{vector_store_id}/file_batches/{batch['id']}"
        deadline = time.monotonic() + _INDEX_TIMEOUT_S
        while self._client.get(url, cast_to=object)["status"] == "in_progress" and time.monotonic() < deadline:
            time.sleep(0.2)

    def query(self, *, vector_store_id: str, query: Any, params: Mapping[str, Any] | None = None, **_: Any) -> Any:
        params = dict(params or {})
        body = {"query": query if isinstance(query, str) else query["text"], "filters": params.get("filters")}
        body["max_num_results"] = params.get("max_chunks", 10)
        found = self._client.post(f"/v1/vector_stores/{vector_store_id}/search", cast_to=object, body=body)
        chunks = [
            SimpleNamespace(
                content="".join(part["text"] for part in hit["content"]),
                metadata=hit["attributes"],
                chunk_id=hit["filename"].removesuffix(".txt"),
            )
            for hit in found["data"]
        ]
        return SimpleNamespace(chunks=chunks, scores=[hit["score"] for hit in found["data"]])
