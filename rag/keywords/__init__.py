"""Analyzes text for keyword search, so that Milvus Lite and Milvus servers index and find the same words."""

from rag.keywords.analysis import ANALYSIS_VERSION, keyword_text
from rag.keywords.detection import is_frequent_word
from rag.keywords.languages import LANGUAGES, checked_language, is_stop_word
from rag.keywords.normalization import UNSPACED, folded

__all__ = [
    "ANALYSIS_VERSION",
    "LANGUAGES",
    "UNSPACED",
    "checked_language",
    "folded",
    "is_frequent_word",
    "is_stop_word",
    "keyword_text",
]
