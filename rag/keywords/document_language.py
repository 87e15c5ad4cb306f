"""Recognizes the language of a document."""

from __future__ import annotations

from collections import Counter

import regex

from rag.keywords.detection import languages_of

_SAMPLE_CHARS = 20_000
_MIN_LETTERS = 20
_MIN_WORDS = 5
"""Frequent words that a language in the Latin script needs to be recognized."""
_MIN_LEAD = 1.3
"""How many times as many of its frequent words there must be as of any other language."""
_SCRIPT_TAGS = {
    "Hangul": "ko", "Thai": "th", "Lao": "lo", "Khmer": "km", "Myanmar": "my", "Hebrew": "he", "Greek": "el",
    "Armenian": "hy", "Georgian": "ka", "Devanagari": "hi", "Tamil": "ta",
}  # fmt: skip
"""Scripts whose most frequent language by far is this one."""
_SCRIPTS = (*_SCRIPT_TAGS, "Latin", "Cyrillic", "Arabic", "Han", "Hiragana", "Katakana")
_LETTER = regex.compile("|".join(rf"(?P<{script}>\p{{{script}}})" for script in _SCRIPTS))
_WORD = regex.compile(r"\p{L}+")
_UKRAINIAN, _SERBIAN = regex.compile("[іїєґ]"), regex.compile("[ђћџљњ]")
_PERSIAN = regex.compile("[پچژگ]")
_TAGS = {
    "english": "en", "german": "de", "french": "fr", "spanish": "es", "italian": "it", "portuguese": "pt",
    "dutch": "nl", "swedish": "sv", "danish": "da", "polish": "pl", "turkish": "tr", "indonesian": "id",
}  # fmt: skip


def document_language(text: str) -> str:
    """The BCP 47 tag of the language that most of a text's beginning is in, such as `de`; empty if it is not clear."""
    sample = text[:_SAMPLE_CHARS].lower()
    scripts = Counter(match.lastgroup for match in _LETTER.finditer(sample))
    if scripts.total() < _MIN_LETTERS:
        return ""
    if scripts["Hiragana"] + scripts["Katakana"] > scripts["Han"] / 10 and scripts["Latin"] < scripts.total() / 2:
        return "ja"
    script = max(scripts, key=lambda each: scripts[each]) or ""
    match script:
        case "Han":
            return "zh"
        case "Cyrillic":
            return "uk" if _UKRAINIAN.search(sample) else "sr" if _SERBIAN.search(sample) else "ru"
        case "Arabic":
            return "fa" if len(_PERSIAN.findall(sample)) * 50 > scripts["Arabic"] else "ar"
        case "Latin":
            return _latin_language(sample)
    return _SCRIPT_TAGS.get(script, "")


def _latin_language(sample: str) -> str:
    counts = Counter(language for word in _WORD.findall(sample) for language in languages_of(word))
    ranked = counts.most_common(2)
    if not ranked or ranked[0][1] < _MIN_WORDS:
        return ""
    if len(ranked) == 2 and ranked[0][1] < _MIN_LEAD * ranked[1][1]:
        return ""
    return _TAGS.get(ranked[0][0], "")
