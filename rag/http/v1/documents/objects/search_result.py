"""OpenAI's page of search results."""

from __future__ import annotations

from typing import Literal

from openai.types import VectorStoreSearchResponse
from openai.types.vector_store_search_response import Content
from pydantic import BaseModel, Field

from rag.http.bodies.hits import rectangles_to_wire
from rag.http.bodies.wire import RECTANGLES, RectangleOut
from rag.types import Hit


class SearchResult(VectorStoreSearchResponse):
    attributes: dict[str, str | int | float | bool] | None
    chunk_id: str
    page: int | None
    pages: list[int] = Field(description="All pages the passage is on.")
    rectangles: list[RectangleOut] = Field(description=RECTANGLES)
    heading: str = Field(description="Headings above the passage, outermost first.")
    header: str = Field(description="Column names of the table, or the key of the record, that the passage begins in.")
    start: int = Field(description="Character offset of the passage in the document's text.")
    end: int


class SearchResults(BaseModel):
    object: Literal["vector_store.search_results.page"]
    search_query: list[str] = Field(description="The queries that were searched, including rewritten ones.")
    data: list[SearchResult]
    has_more: bool
    next_page: str | None


def result_object(hit: Hit) -> SearchResult:
    chunk = hit.chunk
    return SearchResult(
        file_id=chunk.file_id,
        filename=chunk.filename,
        score=round(hit.score, 6),
        attributes=dict(chunk.attributes),
        content=[Content(type="text", text=chunk.text)],
        chunk_id=chunk.chunk_id,
        page=chunk.page,
        pages=chunk.page_numbers,
        rectangles=[RectangleOut.model_validate(place) for place in rectangles_to_wire(chunk.rectangles)],
        heading=chunk.heading,
        header=chunk.header,
        start=chunk.start,
        end=chunk.end,
    )
