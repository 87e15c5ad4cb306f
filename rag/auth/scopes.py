"""What an API key may do."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

Scope: TypeAlias = Literal["ask", "generate", "ingest", "delete", "admin", "metrics"]
"""`ask`: search, answers from documents, and reading them. `generate`: the language model itself. `ingest`: add and
change documents and vector stores. `delete`: delete them. `metrics`: read the metrics. `admin`: everything, and
managing keys, adapters and embedding models."""
SCOPES: tuple[Scope, ...] = get_args(Scope)
