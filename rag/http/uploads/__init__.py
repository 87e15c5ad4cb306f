"""Multipart uploads, streamed to disk."""
