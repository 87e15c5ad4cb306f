"""`mcp`: serves MCP on standard input and output, as a client of the `/mcp` of a running service."""

from __future__ import annotations

import asyncio

import click

from rag.cli.options import url_option
from rag.cli.service_client import authorization


@click.command()
@url_option
def mcp(url: str) -> None:
    """Serve MCP on standard input and output, for programs that start their MCP servers themselves."""
    asyncio.run(_serve(url, authorization()))


async def _serve(url: str, headers: dict[str, str]) -> None:
    from mcp.server.stdio import stdio_server

    from rag.cli.mcp_bridge import McpBridge

    server = McpBridge(url, headers).server()
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())
