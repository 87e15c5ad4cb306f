"""Language model functions that ingest, retrieval and generation share."""
