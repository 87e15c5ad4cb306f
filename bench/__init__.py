"""`python -m bench`: this bundle beside vLLM's own server, the bare encoder and bare Milvus. Ratios of one run."""
