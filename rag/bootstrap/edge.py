"""Creates the RAG service, the public edge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rag.bootstrap.access import audit_trail, edge_admission, token_callers, token_keys, token_limits
from rag.bootstrap.answer_sampling import answer_sampling
from rag.bootstrap.loaded_settings import settings
from rag.bootstrap.process import client_of, make_cache
from rag.config import LLMSettings, Settings
from rag.config.section import listed
from rag.http.auth.verified_keys import VerifiedKeys
from rag.http.clients.remote_keys import RemoteKeys
from rag.http.clients.served_models import ServedModels
from rag.http.clients.upstream_services import UpstreamServices
from rag.http.middleware.lifecycle import Lifecycle
from rag.http.model_aliases import ModelAliases
from rag.http.native.internal.remote_batch_work import RemoteBatchWork
from rag.http.native.rag_api import RagApi
from rag.http.v1.batches.runner import BatchRunner
from rag.http.v1.responses.background.worker import WorkerOptions
from rag.http.v1.text_generation.image_options import ImageOptions
from rag.http.v1.text_generation.tool_options import ToolOptions

if TYPE_CHECKING:
    from rag.http.mcp.endpoint import McpEndpoint


def rag_api(addresses: Mapping[str, str], own_url: str) -> RagApi:
    """The API of the edge. `addresses`: URLs of the services named `Retriever` and `LLM`."""
    options = settings()
    clients = {name: client_of(name, url, token_limits().add) for name, url in addresses.items()}
    where = own_url or "the service's address"

    def ready_message() -> str:
        keys_exist = bool((dependencies.facts("Retriever") or {}).get("keys_exist"))
        access = edge_admission().summary(keys_exist=keys_exist)
        try_out = "python -m rag ingest docs; python -m rag ask 'What is this?'"
        return f"ready: page at {own_url}/ui, Swagger UI and APIs at {where} - {access} - try: {try_out}"

    dependencies = UpstreamServices(clients, ready_message=ready_message)
    remote_keys = RemoteKeys(clients["Retriever"], dependencies.require)
    edge_admission().use(VerifiedKeys(remote_keys.look_up))
    if (callers := token_callers()) is not None:
        callers.use(remote_keys.open_tenant)
    return RagApi(
        dependencies,
        tokens=token_limits(),
        audit=audit_trail(),
        cache=make_cache() if options.cache.answers else None,
        ttl_s=options.cache.ttl_s,
        sampling=answer_sampling(options.llm),
        retrieve_timeout_s=options.server.retrieve_timeout_s,
        answer_timeout_s=options.server.answer_timeout_s,
        keep_alive_s=options.server.keep_alive_s,
        citations=options.prompt.citations,
        weak_below=options.prompt.weak_below,
        style=options.prompt.style,
        token_keys=token_keys(),
        aliases=ModelAliases(options.models.aliases),
        may_store=options.responses.store,
        background=WorkerOptions(options.responses.background_at_once, options.responses.background_timeout_s),
        tools=_tool_options(options),
        images=_image_options(options.llm),
    )


def _tool_options(options: Settings) -> ToolOptions:
    from rag.adapters.mcp_servers import McpServers

    chosen = options.tools
    servers = McpServers(
        listed(chosen.mcp_servers), timeout_s=chosen.mcp_timeout_s, max_bytes=chosen.mcp_max_kib * 1024
    )
    return ToolOptions(
        chosen.search, chosen.max_rounds, servers, chosen.mcp_max_tools, options.server.retrieve_timeout_s
    )


def _image_options(options: LLMSettings) -> ImageOptions:
    from rag.adapters.image_fetcher import ImageFetcher

    hosts, limits = listed(options.image_hosts), options.image_limits
    source = ImageFetcher(hosts, timeout_s=options.image_timeout_s, max_bytes=limits.bytes)
    return ImageOptions(limits, source)


def batch_runner(dependencies: UpstreamServices, lifecycle: Lifecycle) -> BatchRunner:
    """The runner of batch lines in this process.

    Args:
        lifecycle: The lifecycle of the edge, whose application gets the lines as requests.
    """
    options = settings()
    retriever = dependencies.clients["Retriever"]
    models = ServedModels(dependencies, ModelAliases(options.models.aliases))
    return BatchRunner(
        RemoteBatchWork(retriever, models).exchange, lambda: lifecycle.service, options.batches.lines_at_once
    )


def mcp_endpoint() -> McpEndpoint:
    """The application at `/mcp`. Only the edge loads its library, which takes a second."""
    from rag.http.mcp.endpoint import McpEndpoint

    return McpEndpoint()
