"""Files, vector stores and ingestion jobs under `/v1`, served by the Retriever."""
