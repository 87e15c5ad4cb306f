"""Fakes of encoders and rerankers."""
