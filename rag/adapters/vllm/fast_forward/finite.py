"""Grammars that are followed by finitely many texts, such as those of quoted answers."""

from __future__ import annotations

import re

from rag.adapters.vllm.structures.lark import HEADER

_LITERAL = r'"(?:[^"\\\n]|\\.)*"'
_RULE = rf"(?:start|T\d+):(?:{_LITERAL}|T\d+|[ ()|?])*\n"
_GRAMMAR = re.compile(rf"{re.escape(HEADER)}(?:{_RULE})+")
"""As `rag.adapters.vllm.structures` writes choices and grammars without recursion and repetition."""
_MIN_MEAN_CHARS = 32


def has_few_choices(grammar: str) -> bool:
    """Whether most tokens of the texts that follow a grammar leave no choice: there is one text, or there are
    finitely many that consist of long literals. A separate request for each choice costs as much as a few tokens.

    Args:
        grammar: In llguidance's dialect of Lark. For grammars in another form the result is False.
    """
    if _GRAMMAR.fullmatch(grammar) is None:
        return False
    texts = [text for text in re.findall(_LITERAL, grammar) if len(text) > len('"\\n"')]
    if not re.search("[|?]", re.sub(_LITERAL, "", grammar)):
        return bool(texts)
    return bool(texts) and sum(map(len, texts)) >= _MIN_MEAN_CHARS * len(texts)
