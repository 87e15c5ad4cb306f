"""The part of the Retriever's HTTP API that needs the catalog alone: what is kept, and work in the background."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from rag.http.background_loader import BackgroundLoader
from rag.http.model_aliases import ModelAliases
from rag.http.native.internal.audit_wire import AuditRequest
from rag.http.native.internal.background_wire import LeaseResponseRequest, QueueResponseRequest, WriteResponseRequest
from rag.http.native.internal.batch_advance import BatchAdvance
from rag.http.native.internal.batch_wire import BatchWorkRequest, assignment_to_wire
from rag.http.native.internal.compaction_wire import OpenCompactionRequest
from rag.http.native.internal.response_wire import EarlierTurnsRequest, KeepCompletionRequest, KeepResponseRequest
from rag.library.answers.background import BackgroundRegistry
from rag.library.answers.chat_completions import CompletionRegistry
from rag.library.answers.conversations import ConversationRegistry
from rag.library.answers.responses import ResponseRegistry
from rag.library.audit import AuditLog
from rag.library.batches.registry import BatchRegistry
from rag.library.batches.work import BatchWork
from rag.library.documents.uploads import UploadRegistry
from rag.library.keys import KeyRegistry

if TYPE_CHECKING:  # it imports cryptography, which only the Retriever needs
    from rag.library.answers.compaction_seal import CompactionSeal


@dataclass(frozen=True, slots=True)
class OpenCatalog:
    """The components that work as soon as the catalog is open."""

    keys: KeyRegistry
    audit: AuditLog
    responses: ResponseRegistry
    conversations: ConversationRegistry
    completions: CompletionRegistry
    background: BackgroundRegistry
    uploads: UploadRegistry
    batches: BatchRegistry
    batch_work: BatchWork
    seal: CompactionSeal


class CatalogApi:
    """The endpoints of the Retriever that need only the catalog.

    Args:
        opened: Opened long before the rest of the Retriever is loaded.
    """

    def __init__(self, opened: BackgroundLoader[OpenCatalog], aliases: ModelAliases) -> None:
        self.open = opened
        self._batches = BatchAdvance(aliases)
        self._is_draining = False

    def drain(self) -> None:
        """Begin no more work on batches."""
        self._is_draining = True

    async def audit(self, request: AuditRequest) -> Response:
        """Add entries to the audit log."""
        await asyncio.to_thread(self.open.get().audit.append, request.parsed())
        return JSONResponse({})

    async def batch_work(self, request: BatchWorkRequest) -> Response:
        """Take an edge's report on lines of batches, and give it more lines."""
        work, report = self.open.get().batch_work, request.parsed()
        if self._is_draining:  # the edge gets lines from the next process
            report = replace(report, wanted=0)
        assignment = await asyncio.to_thread(work.exchange, report)
        if not self._is_draining:
            self._batches.begin(work, request.models)
        return JSONResponse(assignment_to_wire(assignment))

    async def keep_response(self, request: KeepResponseRequest) -> Response:
        await asyncio.to_thread(self.open.get().responses.insert, request.parsed())
        return JSONResponse({})

    async def keep_completion(self, request: KeepCompletionRequest) -> Response:
        await asyncio.to_thread(self.open.get().completions.insert, request.parsed())
        return JSONResponse({})

    async def queue_response(self, request: QueueResponseRequest) -> Response:
        await asyncio.to_thread(self.open.get().background.enqueue, *request.parsed())
        return JSONResponse({})

    async def lease_response(self, request: LeaseResponseRequest) -> Response:
        leased = await asyncio.to_thread(self.open.get().background.lease)
        return JSONResponse({"leased": None if leased is None else asdict(leased)})

    async def write_response(self, request: WriteResponseRequest) -> Response:
        written = await asyncio.to_thread(self.open.get().background.write, request.parsed())
        return JSONResponse({"written": written})

    async def earlier_turns(self, request: EarlierTurnsRequest) -> Response:
        """The items that a request to `/v1/responses` names instead of sending them."""
        registry = self.open.get().responses
        turns = await asyncio.to_thread(registry.earlier_turns, request.parsed())
        return JSONResponse(asdict(turns))

    async def open_compaction(self, request: OpenCompactionRequest) -> Response:
        """The turns of a compaction item."""
        items = await asyncio.to_thread(self.open.get().seal.open, request.encrypted_content)
        return JSONResponse({"items": items})
