"""A vector store in memory."""
