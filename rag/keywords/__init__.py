"""Analyzes text for keyword search, so that Milvus Lite and Milvus servers index and find the same words."""

from rag.keywords.analysis import ANALYSIS_VERSION, keyword_text
from rag.keywords.document_language import document_language
from rag.keywords.languages import LANGUAGES, checked_language
from rag.keywords.normalization import UNSPACED, folded
from rag.keywords.stop_words import is_stop_word

__all__ = [
    "ANALYSIS_VERSION",
    "LANGUAGES",
    "UNSPACED",
    "checked_language",
    "document_language",
    "folded",
    "is_stop_word",
    "keyword_text",
]
