"""Headers with which the Retriever tells the edge about a response. Clients do not get them."""

from __future__ import annotations

OBJECT_ID = "x-rag-object-id"
"""The id of what the request created or changed."""
USED_TOKENS = "x-rag-used-tokens"
"""Tokens of query planning, embeddings and reranking."""
