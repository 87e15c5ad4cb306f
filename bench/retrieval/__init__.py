"""Search and ingestion, against the encoder and Milvus alone."""
