"""Says which words of a question name what it is about: identifiers, names, and other words with a content."""

from __future__ import annotations

from dataclasses import dataclass

import regex

from rag.keywords import UNSPACED, folded, is_stop_word

_LETTER = rf"[\p{{L}}\p{{M}}\p{{N}}--[{UNSPACED}]]"
_WORD = regex.compile(
    rf"\.?{_LETTER}+(?:[._:/\-]+{_LETTER}+)*(?:\+\+|[+\#](?!{_LETTER}))?|[{UNSPACED}\p{{M}}]+", regex.V1
)
_POSSESSIVE = regex.compile(r"(?<=\w)['’]s\b")
_RUN = regex.compile(r"[\p{L}\p{M}]+|\p{N}+")
_VERSION = regex.compile(r"[vV]?\d+(?:\.\d+){2,}|[vV]\d+\.\d+|\d+(?:[:/\-]\d+){2,}")
_LONG_NUMBER = regex.compile(r"\d{5,}")
_SYMBOL_NAME = regex.compile(r"\.\p{L}{2,}|\p{L}[\p{L}\p{N}]*[+#]+")
_JOINED_NAME = regex.compile(r"\p{L}+_\w+|\p{Ll}{2,}(?:\p{Lu}\p{Ll}+)+|(?:\p{Lu}\p{Ll}+){3,}")
_NUMBER = regex.compile(r"(?!(?:1[89]|20)\d\d$)\d{3,}")
_SPACED_CODE = regex.compile(r"\b\p{Lu}{2,6} (?!(?:1[89]|20)\d\d\b)\d{2,}(?: \p{Lu}\b)?")
"""A code that is written with spaces, such as `RFC 7231`; not a name with a year."""
_MIN_CODE_CHARS, _MIN_CODE_CHARS_AFTER_DIGITS = 4, 6
_PREFIXES = frozenset(
    {"mid", "pre", "post", "non", "top", "sub", "under", "over", "early", "late", "anti", "multi", "semi"}
)
_GREETINGS = """
hello hi hey hiya howdy greetings welcome thanks thank thx cheers bye goodbye ok okay please sorry yes yeah yep nope
good morning afternoon evening night day great cool nice perfect wonderful awesome
hallo guten tag morgen abend danke dankeschön vielen dank bitte tschüss moin servus ja nein
bonjour bonsoir salut merci beaucoup hola gracias adiós buenos buenas días noches tardes ciao grazie buongiorno
olá obrigado obrigada hoi hej tack tak cześć dziękuję привет здравствуйте спасибо merhaba teşekkürler
你好 您好 谢谢 謝謝 こんにちは ありがとう 안녕하세요 감사합니다 สวัสดี ขอบคุณ مرحبا شكرا שלום תודה नमस्ते धन्यवाद
"""
_REQUESTS = """
mean means meaning tell show find give explain describe know need say information details much many
help test testing start stop continue next again go back repeat try summary summarize translate
"""
_EMPTY_WORDS = frozenset(map(folded, (_GREETINGS + _REQUESTS).split()))


@dataclass(frozen=True, slots=True)
class QuestionWords:
    """The words of a question that say what it is about."""

    content: tuple[str, ...]
    """Without stop words, greetings and requests such as `explain`."""
    is_bare: bool
    """Whether the question has no other words."""
    has_name: bool
    """Whether one of them is a number, or has capitals that the beginning of a sentence does not explain."""

    @property
    def identifiers(self) -> tuple[str, ...]:
        return tuple(filter(is_identifier, self.content))


def question_words(question: str) -> QuestionWords:
    joined = _SPACED_CODE.sub(lambda match: match[0].replace(" ", "-"), _POSSESSIVE.sub("", question))
    words: list[str] = _WORD.findall(joined)
    content = tuple(word for word in words if not _is_empty(word))
    has_capitals = not question.isupper() and any(
        word[0].isupper() and (number > 0 or len(words) == 1 or sum(map(str.isupper, word)) > 1)
        for number, word in enumerate(words)
        if word in content
    )
    has_name = has_capitals or any(_NUMBER.fullmatch(word) for word in content)
    return QuestionWords(content, len(content) == len(words), has_name)


def _is_empty(word: str) -> bool:
    is_abbreviation = word.isupper() and len(word) > 1
    return (is_stop_word(word.lower()) and not is_abbreviation) or folded(word) in _EMPTY_WORDS


def is_identifier(word: str) -> bool:
    """Whether the word looks like a part number, an error code, a version, or a name in a program."""
    patterns = (_VERSION, _LONG_NUMBER, _SYMBOL_NAME, _JOINED_NAME)
    return _is_code(word) or any(pattern.fullmatch(word) for pattern in patterns)


def _is_code(word: str) -> bool:
    """Whether it mixes letters and digits, and is neither a number with a unit nor one with a prefix (`mid-1990s`)."""
    runs: list[str] = _RUN.findall(word)
    if not (any(map(str.isalpha, runs)) and any(map(str.isnumeric, runs))):
        return False
    chars = sum(map(len, runs))
    if runs[0].isnumeric():
        return len(runs) > 2 and chars >= _MIN_CODE_CHARS_AFTER_DIGITS
    return chars >= _MIN_CODE_CHARS and runs[0].lower() not in _PREFIXES
