"""The OpenAI-compatible routes under `/v1`: files, vector stores, and our jobs in the same style."""
