"""`python -m bench`: compare this bundle with vLLM's own server, the encoder alone and Milvus alone, within one run.

Each module that `__main__` lists measures one cell of the table. The rest starts servers (`servers`), generates load
(`load`, `vllm_load`), holds the documents and questions (`workload`) or makes the table (`report`). `python -m
bench.at_scale` is a separate program for large collections."""
