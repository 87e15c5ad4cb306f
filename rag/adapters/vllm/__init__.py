"""The language model on vLLM's AsyncLLMEngine."""
