"""The secrets of API keys. They are shown once, and only their hashes are stored."""

from __future__ import annotations

import hashlib
import secrets

PREFIX = "rag-"
_RANDOM_BYTES = 32
_CHARS = len(PREFIX) + 43
"""43 characters of base64 hold 32 bytes."""
_VISIBLE_CHARS = len(PREFIX) + 6


def new_secret() -> str:
    """A new secret of 256 random bits."""
    return PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)


def could_be_secret(text: str) -> bool:
    """Whether the text has the form of a secret; texts of other forms need no look-up."""
    return text.startswith(PREFIX) and len(text) == _CHARS


def hash_of(secret: str) -> str:
    """SHA-256 in hex. A slow hash would add nothing, because a random secret cannot be guessed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def visible_prefix(secret: str) -> str:
    """The beginning of the secret, by which people recognize a key. It does not help to guess the rest."""
    return secret[:_VISIBLE_CHARS]
