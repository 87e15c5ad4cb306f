"""Texts as tokens of an encoder, and windows of texts that are longer than its input."""
