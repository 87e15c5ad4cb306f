"""The tools that `/mcp` offers, in the order in which they are listed."""

from __future__ import annotations

from typing import Any

from rag.http.mcp.tools.ask import ASK
from rag.http.mcp.tools.fetch import FETCH
from rag.http.mcp.tools.ingest import INGEST
from rag.http.mcp.tools.list_documents import LIST_DOCUMENTS
from rag.http.mcp.tools.search import SEARCH
from rag.http.mcp.tools.tool import Tool

TOOLS: tuple[Tool[Any], ...] = (SEARCH, FETCH, ASK, LIST_DOCUMENTS, INGEST)
