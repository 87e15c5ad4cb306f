"""What every VectorStore does."""
