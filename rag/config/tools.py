"""Options of tools that the service runs for the language model: `RAG_TOOLS__...`."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from rag.config.section import Section, listed


class ToolSettings(Section):
    """Tools of `/v1/responses` that the service runs while the language model works on an answer."""

    search: Literal["always", "model"] = Field(
        "always",
        description="How `/v1/responses` uses `file_search`, unless the request sets `rag.search`. always: one search "
        "with the question; model: the language model decides when to search, and with which queries.",
    )
    max_rounds: int = Field(
        5, ge=1, le=50, description="Times that the language model may call tools before it must answer."
    )
    mcp_servers: str = Field(
        "",
        description="URLs of the MCP servers that requests to `/v1/responses` may name, separated by commas; `*.` at "
        "the beginning of a host is any subdomain, `/*` at the end of a path anything below it. Unset: none.",
    )
    mcp_timeout_s: float = Field(30.0, gt=0, le=600, description="Time limit of a call of an MCP server in seconds.")
    mcp_max_kib: int = Field(1024, ge=1, le=65_536, description="Maximum size of an answer of an MCP server in KiB.")
    mcp_max_tools: int = Field(
        64, ge=1, le=128, description="Maximum number of tools of one MCP server that the language model can use."
    )

    @field_validator("mcp_servers")
    @classmethod
    def _check_servers(cls, servers: str) -> str:
        for pattern in listed(servers):
            parts = urlsplit(pattern)
            is_url = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
            if not is_url or parts.query or parts.fragment:
                raise ValueError("each must be a URL such as https://example.com/mcp, without user and query")
            if "*" in (parts.hostname or "").removeprefix("*.") or "*" in parts.path.removesuffix("/*"):
                raise ValueError("`*.` is only allowed before the host, and `/*` only after the path")
        return servers
