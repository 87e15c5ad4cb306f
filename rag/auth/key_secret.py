"""The secrets of API keys. They are shown once, and only their hashes are stored."""

from __future__ import annotations

import hashlib
import secrets

PREFIX = "rag-"
_RANDOM_BYTES = 32
_VISIBLE_CHARS = len(PREFIX) + 6


def new_secret() -> str:
    """A secret that nobody can guess: 256 random bits."""
    return PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)


def hash_of(secret: str) -> str:
    """SHA-256 in hex. A slow hash would add nothing, because nobody can guess a random secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def visible_prefix(secret: str) -> str:
    """The beginning of the secret, by which people recognize a key. It is of no use to anyone else."""
    return secret[:_VISIBLE_CHARS]
