"""Requests between services for tools that the language model calls. `rag.http.clients.remote_tools` sends them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rag.http.bodies.wire import MAX_STORES, HistoryTurn, messages_of
from rag.http.fields.fail_fast import StrictModel
from rag.http.fields.filters_wire import Filter, filter_to_json
from rag.http.fields.retrieval_settings import RetrievalSettings
from rag.http.validation.wire_model import WireModel
from rag.retrieve.model_search_request import ModelSearchRequest
from rag.types import JsonObject, KnownPassage


class KnownPassageIn(StrictModel):
    chunk_id: str
    file_id: str
    start: int
    end: int


class SearchForModelRequest(WireModel):
    """A search that the language model asked for."""

    queries: Annotated[list[str], Field(min_length=1)]
    vector_store: str | Annotated[list[str], Field(min_length=1, max_length=MAX_STORES)] = "default"
    max_tokens: int = Field(ge=0, description="Of the text for the language model.")
    history: list[HistoryTurn] = Field(default_factory=list, description="The conversation of a question.")
    known: list[KnownPassageIn] = Field(
        default_factory=list, description="Passages that earlier searches returned, in the order of their numbers."
    )
    top_k: int | None = None
    filters: Filter | None = None
    retrieval: RetrievalSettings | None = None
    score_threshold: float = Field(0.0, ge=0, le=1, description="Hits with a lower score are left out.")
    explain: bool = False

    def parsed(self) -> ModelSearchRequest:
        overrides: JsonObject = self.retrieval.overrides() if self.retrieval else {}
        overrides = overrides | ({} if self.top_k is None else {"top_k": self.top_k})
        stores = [self.vector_store] if isinstance(self.vector_store, str) else self.vector_store
        return ModelSearchRequest(
            tuple(dict.fromkeys(self.queries)),
            tuple(dict.fromkeys(stores)),
            self.max_tokens,
            overrides,
            filter_to_json(self.filters),
            self.score_threshold,
            [KnownPassage(each.chunk_id, each.file_id, each.start, each.end) for each in self.known],
            self.explain,
            messages_of(self.history),
        )


class CutTextRequest(WireModel):
    """An untrusted text for the language model."""

    text: str
    max_tokens: int = Field(ge=0)
