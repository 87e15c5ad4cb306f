"""`/v1/audit`: the audit log, for administrators. This route is not part of OpenAI's API but follows its style."""

from __future__ import annotations

import asyncio

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rag.auth.audit import AuditFilter
from rag.http.openapi.route import Operation
from rag.http.v1.documents.body import Text
from rag.http.v1.documents.cursor import ListQuery, read_query
from rag.http.v1.documents.objects.audit_entry import AuditEntry, audit_entry
from rag.http.v1.documents.objects.page import ListOf, list_of
from rag.http.v1.documents.parts import V1Parts
from rag.http.v1.model_response import model_response
from rag.http.v1.route import V1Route

_LATEST = 2**40


class AuditQuery(ListQuery):
    tenant: Text | None = Field(None, description="Only requests of this tenant.")
    key: Text | None = Field(None, description="Only requests with the API key of this ID.")
    action: Text | None = Field(None, description="Only this operation, by its ID in this document.")
    since: int | None = Field(None, ge=0, le=_LATEST, description="Only from this Unix time on.")
    until: int | None = Field(None, ge=0, le=_LATEST, description="Only before this Unix time.")

    @property
    def wanted(self) -> AuditFilter:
        return AuditFilter(self.tenant, self.key, self.action, self.since, self.until)


LIST = Operation(
    id="list_audit_entries",
    scopes=("admin",),
    tag="Audit log",
    summary="List who did what, of all tenants",
    description="Changes, management of API keys and refused requests; with `RAG_AUDIT__RECORD=all` every request. "
    "Entries appear within about a second.",
    query=AuditQuery,
    response=ListOf[AuditEntry],
    response_description="A page of entries.",
    errors=[400],
)


class AuditRoutes:
    def __init__(self, parts: V1Parts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        return [V1Route("GET", "/audit", self.list, LIST)]

    async def list(self, request: Request) -> Response:
        query = read_query(AuditQuery, request)
        page = await asyncio.to_thread(self._parts.audit().page, query.cursor, query.wanted)
        return model_response(list_of(page, audit_entry))
