"""Answers and chat completions, against vLLM's own server."""
