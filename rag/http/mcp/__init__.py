"""The Model Context Protocol (MCP) at `/mcp`: tools and resources for programs that use language models."""
