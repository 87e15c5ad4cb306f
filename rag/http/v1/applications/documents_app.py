"""The Retriever's `/v1` application: everything but models and generated text."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.convertors import register_url_convertor
from starlette.routing import Route

from rag.http.v1.administration.audit import AuditRoutes
from rag.http.v1.administration.keys import KeyRoutes
from rag.http.v1.applications.application import v1_app
from rag.http.v1.batches.routes import BatchRoutes
from rag.http.v1.chat.kept_routes import KeptCompletionRoutes
from rag.http.v1.conversations.routes import ConversationRoutes
from rag.http.v1.documents.documents import DocumentRoutes
from rag.http.v1.documents.files import FileRoutes
from rag.http.v1.documents.jobs import JobRoutes
from rag.http.v1.documents.parts import V1Parts
from rag.http.v1.documents.path_id import PathId
from rag.http.v1.documents.search import SearchRoutes
from rag.http.v1.documents.stores import StoreRoutes
from rag.http.v1.embeddings import EmbeddingRoutes
from rag.http.v1.rerank import RerankRoutes
from rag.http.v1.responses.kept_routes import KeptResponseRoutes
from rag.http.v1.uploads.routes import UploadRoutes

register_url_convertor("id", PathId())
_GROUPS = (
    *(FileRoutes, UploadRoutes, StoreRoutes, SearchRoutes, DocumentRoutes, JobRoutes),
    *(EmbeddingRoutes, RerankRoutes, KeptResponseRoutes, ConversationRoutes, KeptCompletionRoutes),
    *(BatchRoutes, KeyRoutes, AuditRoutes),
)


def documents_app(parts: V1Parts) -> Starlette:
    return v1_app(document_routes(parts))


def document_routes(parts: V1Parts) -> list[Route]:
    return [route for group in _GROUPS for route in group(parts).routes()]
