"""Signed tokens (JSON Web Tokens): verification, claims, and the callers they stand for."""
