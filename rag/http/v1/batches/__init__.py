"""`/v1/batches`: routes of the Retriever, and how the edge runs the lines."""
