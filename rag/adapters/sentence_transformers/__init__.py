"""Encoders and rerankers on sentence-transformers."""
