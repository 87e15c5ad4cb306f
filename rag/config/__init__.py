"""The settings of the service, and the only package that reads them from the environment.

Every option is an environment variable with the prefix `RAG_`; a section and its option are joined by two underscores:
`RAG_LLM__MODEL`, `RAG_STORE__URI`. A variable with this prefix that is not an option stops the service from starting.
"""

from __future__ import annotations

from rag.config.embedder import EMBEDDED_ENCODER, EmbedderSettings
from rag.config.environment import load
from rag.config.llm import LLMSettings
from rag.config.options import option_names, options
from rag.config.section import Section
from rag.config.settings import Settings
from rag.config.store import StoreSettings

__all__ = [
    "EMBEDDED_ENCODER",
    "EmbedderSettings",
    "LLMSettings",
    "Section",
    "Settings",
    "StoreSettings",
    "load",
    "option_names",
    "options",
]
