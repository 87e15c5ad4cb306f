"""A BentoML service bundle for retrieval-augmented generation: Milvus finds, vLLM answers."""

__version__ = "0.1.0"
