"""Creates each service from the settings, in a module per service: the only place that chooses concrete classes.

Heavy libraries are imported inside functions, so that each process loads only what it needs.
"""

from rag.bootstrap.edge import mcp_endpoint, rag_api
from rag.bootstrap.embedder import embedder_api
from rag.bootstrap.llm import llm_api
from rag.bootstrap.loaded_settings import settings
from rag.bootstrap.process import (
    address_of,
    configure_logging,
    cors_options,
    lifecycle,
    make_files_private,
    middleware_options,
    prepare_model,
    start_tracing,
)
from rag.bootstrap.retriever import retriever_api, retriever_metrics
from rag.bootstrap.start_check import refuse_unprotected_start

__all__ = [
    "address_of",
    "configure_logging",
    "cors_options",
    "embedder_api",
    "lifecycle",
    "llm_api",
    "make_files_private",
    "mcp_endpoint",
    "middleware_options",
    "prepare_model",
    "rag_api",
    "refuse_unprotected_start",
    "retriever_api",
    "retriever_metrics",
    "settings",
    "start_tracing",
]
