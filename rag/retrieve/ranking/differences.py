"""Decides whether the words in which two similar texts differ change what they say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import chain, takewhile

import regex

_TOKEN = regex.compile(
    r"(?:(?<![\w+\-−])[+\-−±])?\d+(?:[.,:/\-]\d+)*"  # numbers with a sign: -40, 4.1.7, 10-20
    r"|(?<![\w.])\.\p{L}+"  # .NET
    r"|[\p{L}\p{M}\p{N}]+(?:['’][\p{L}\p{M}]+)*(?:\+\+|\+(?!\w)|\#(?!\w))?"  # words, isn't, C++, C#
    r"|[%‰§&@±\p{Sm}\p{Sc}\p{So}--[|~]]",  # symbols; ° and emoji are among \p{So}
    regex.V1,
)
_FORMATTING = regex.compile(r"^[ \t]*(?:>+|[=+\-|:]{3,}[ \t]*$)", regex.MULTILINE)
"""Quotation marks of mail and Markdown, and lines that are drawn."""
_SENTENCE_END = regex.compile(r"[.!?:;…\n][\s\"'”’)\]*_#>-]*$")
_LETTER = regex.compile(r"\p{L}")
_CONTEXT_CHARS = 8
"""Characters before a word that are searched for the end of a sentence."""
_NEGATION_WORDS = """
not no never none nor neither without cannot nothing nobody nowhere hardly except unless
nicht kein keine keinen keinem keiner keines nie niemals ohne weder noch nichts niemand außer
ne pas jamais sans aucun aucune ni rien non nunca sin ningún ninguno ninguna nada jamás tampoco
mai senza né nessun nessuno nessuna não sem nem nenhum nenhuma niet geen nooit zonder
inte ingen inget inga aldrig utan ikke aldri uten uden bez żaden не ни нет без никогда
"""
_NEGATIONS = frozenset(map(str.casefold, _NEGATION_WORDS.split()))
_OPPOSITE_WORDS = """
on off open opened closed before after left right up down above below increase increases increased decrease decreases
decreased rise rises rose fall falls fell high higher low lower more less min max minimum maximum start stop first last
allowed permitted required optional forbidden prohibited enabled disabled enable disable true false yes and or must may
always only all some any north south east west
an aus ein auf zu offen geöffnet geschlossen vor nach links rechts oben unten über unter steigt sinkt erhöht verringert
hoch höher niedrig niedriger mehr weniger erlaubt verboten und oder muss darf immer nur alle nord süd ost west
ouvert fermé avant après gauche droite augmente diminue plus moins autorisé interdit ou abierto cerrado antes después
izquierda derecha aumenta disminuye más menos permitido prohibido
"""
_OPPOSITES = frozenset(_OPPOSITE_WORDS.split())
"""Words of which one in place of another, or of none, says the opposite or something else."""
_NEGATIVE_PREFIXES = frozenset(["un", "in", "im", "ir", "il", "dis", "non", "anti", "a", "de", "mis", "не", "без"])


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    key: str
    """The text, regardless of case."""
    starts_sentence: bool
    follows_number: bool

    @property
    def is_capitalized(self) -> bool:
        return self.text[0].isupper()


def changes_meaning(one: str, other: str) -> bool:
    """Whether the texts differ in a number, sign, symbol, negation, unit, name, or a word such as `open` or `before`.

    Letters of scripts without capitals may belong to a name, so every difference in such a word counts.
    """
    first, second = _without_common_start(list(_tokens(one)), list(_tokens(other)))
    first, second = (tokens[::-1] for tokens in _without_common_start(first[::-1], second[::-1]))
    matcher = SequenceMatcher(None, [each.key for each in first], [each.key for each in second], autojunk=False)
    return any(
        _is_significant(first[a:b], second[c:d]) for kind, a, b, c, d in matcher.get_opcodes() if kind != "equal"
    )


def _without_common_start(one: list[_Token], other: list[_Token]) -> tuple[list[_Token], list[_Token]]:
    """The lists from their first difference on, so that long texts are compared in little time."""
    common = sum(1 for _ in takewhile(lambda pair: pair[0].key == pair[1].key, zip(one, other, strict=False)))
    return one[common:], other[common:]


def _tokens(text: str) -> Iterator[_Token]:
    text = _FORMATTING.sub("", text)
    follows_number = False
    for match in _TOKEN.finditer(text):
        before = text[max(0, match.start() - _CONTEXT_CHARS) : match.start()]
        starts_sentence = not text[: match.start()].strip() or _SENTENCE_END.search(before) is not None
        token = match[0].replace("−", "-").replace("’", "'")
        key = token if follows_number else token.casefold()  # 5 MB are not 5 Mb
        yield _Token(token, key, starts_sentence, follows_number)
        follows_number = any(map(str.isdigit, token))


def _is_significant(old: list[_Token], new: list[_Token]) -> bool:
    if any(_is_significant_alone(token) for token in chain(old, new)):
        return True
    replaced_at_start = [any(token.is_capitalized for token in tokens) for tokens in (old, new)]
    return all(replaced_at_start) or any(_is_negated(a.key, b.key) for a in old for b in new)


def _is_significant_alone(token: _Token) -> bool:
    has_letters_only = token.key.replace("'", "").isalpha()
    is_name = token.is_capitalized and not token.starts_sentence
    return (
        not has_letters_only
        or token.follows_number
        or is_name
        or token.key in _NEGATIONS
        or token.key in _OPPOSITES
        or token.key.endswith("n't")
        or _is_caseless(token.key)
    )


def _is_caseless(word: str) -> bool:
    return word.upper() == word.lower() and _LETTER.search(word) is not None


def _is_negated(one: str, other: str) -> bool:
    """Whether one of the words is the other with a negative prefix, as `unsafe` and `safe` are."""
    short, long = sorted((one, other), key=len)
    return len(short) > 2 and long.endswith(short) and long.removesuffix(short) in _NEGATIVE_PREFIXES
