"""The settings of this process, read once."""

from __future__ import annotations

import functools

from rag import config
from rag.config import Settings


@functools.cache
def settings() -> Settings:
    return config.load()
