"""vLLM's parsers of reasoning and tool calls, and which of them a model needs."""
