"""Superscripts and subscripts in plain text, kept apart from the number or word before them.

3 × 10<sup>6</sup> -> 3 × 10^6      21<sup>st</sup> -> 21st      Revenue<sup>2</sup> -> Revenue (2)
CO<sub>2</sub>     -> CO2           V<sub>max</sub> -> V_max
"""

from __future__ import annotations

import re

_BASE = re.compile(r"[^\W_]+$")
_NUMBER = re.compile(r"[+-]?\d+(?:[.,/]\d+)*")
_CHARGE = re.compile(r"\d*[+-]")
_NOTE = re.compile(r"\d{1,3}(?:\s*[,;-]\s*\d{1,3})*|[a-z](?:\s*,\s*[a-z])*")
_BRACKETED = re.compile(r"^\[(\d{1,3}(?:\s*[,;-]\s*\d{1,3})*)\]$")
_ATTACHED = re.compile(
    r"st|nd|rd|th|e|er|ers|re|res|ère|ème|eme|nde|o|os|a|as|º|ª|me|mes|lle|lles|le|gr|tm|sm|™|℠|®|©|[*†‡§¶′″°'\"]+",
    re.IGNORECASE,
)
"""Suffixes of ordinal numbers and abbreviations (1st, 2e, Mme, No), and signs that are not letters or digits."""
_TRADEMARKS = {"tm": "™", "sm": "℠"}
_MINUS = str.maketrans({"\u2212": "-", "\u2013": "-", "\u2010": "-", "\u2011": "-"})
_UNITS = frozenset(
    (
        *("km", "cm", "mm", "dm", "nm", "µm", "μm", "ft", "in", "yd", "mi", "sec", "min", "kg"),
        *(
            "mg",
            "mol",
            "rad",
            "bar",
            "feet",
            "inch",
            "inches",
            "meter",
            "meters",
            "metre",
            "metres",
            "kwh",
            "mile",
            "miles",
            "yard",
            "yards",
        ),
    )
)
_MAX_CHARS = 24
"""A longer superscript is text set in small type, such as a note in the middle of a line."""
_ELEMENTS = (
    "A[cglmrstu]|B[aehikr]?|C[adeflmnorsu]?|D[bsy]|E[rsu]|F[elmr]?|G[ade]|H[efgos]?|I[nr]?|Kr?|L[airuv]|M[dgnot]|"
    "N[abdehiop]?|O[gs]?|P[abdmortu]?|R[abefghnu]|S[bcegimnr]?|T[abcehilms]|U|V|W|Xe|Yb?|Z[nr]"
)
_FORMULA = re.compile(rf"(?:[(\[]?(?:{_ELEMENTS})\d*[)\]]?\d*)+$")


def superscript(before: str, content: str, after: str) -> str:
    """A superscript as text, to stand between `before` and `after`."""
    text = _plain(content)
    base = _BASE.search(before)
    if not text or len(text) > _MAX_CHARS:
        return _separated(before, text, after)
    if _is_attached(text, before[-1:], base[0] if base else ""):
        return _TRADEMARKS.get(text.lower(), text)
    if base is None and before[-1:] not in (*")]}|", "′"):
        return _unattached(before, text, after)
    if _NOTE.fullmatch(text) and base is not None and _is_word(base[0]):
        return f" ({text}){_space_before(after)}"
    return f"^{_grouped(text)}{_space_before(after)}"


def subscript(before: str, content: str, after: str) -> str:
    """A subscript as text, to stand between `before` and `after`."""
    text = _plain(content)
    if not text or len(text) > _MAX_CHARS or not before[-1:].strip():
        return _separated(before, text, after)
    is_count = text.isdigit() or text in ("n", "x", "y")
    if is_count and _FORMULA.search(before.split()[-1]) and not (text.isalpha() and len(before.split()[-1]) == 1):
        return text
    return f"_{_grouped(text)}{_space_before(after)}"


def _plain(content: str) -> str:
    text = " ".join(content.translate(_MINUS).split())
    return _BRACKETED.sub(r"\1", text)


def _is_attached(text: str, last: str, base: str) -> bool:
    """True for `21st`, `XIXe`, `Mme` and signs, but not for a letter that marks a note (`Revenue a`)."""
    if not last.strip() or not _ATTACHED.fullmatch(text):
        return False
    return not text.isalpha() or text.lower() in _TRADEMARKS or last.isdigit() or base.isupper()


def _is_word(base: str) -> bool:
    """True for words of a language, not for numbers, variables and units of measurement."""
    return len(base) > 2 and base.isalpha() and base.lower() not in _UNITS


def _unattached(before: str, text: str, after: str) -> str:
    """A superscript after a space or punctuation: a note's mark, or an isotope's mass (14C)."""
    if text.isdigit() and re.match(rf"(?:{_ELEMENTS})(?![a-z])", after):
        return text
    if _NOTE.fullmatch(text):
        return f"{' ' if before[-1:].strip() else ''}({text}){_space_before(after)}"
    return _separated(before, text, after)


def _separated(before: str, text: str, after: str) -> str:
    start = " " if before[-1:].isalnum() and text[:1].isalnum() else ""
    return start + text + (_space_before(after) if text[-1:].isalnum() else "")


def _grouped(text: str) -> str:
    """In parentheses, unless it is a number, a charge or a word."""
    simple = _NUMBER.fullmatch(text) or _CHARGE.fullmatch(text) or text.isalnum() or not text[:1].isalnum()
    return text if simple else f"({text})"


def _space_before(after: str) -> str:
    return " " if after[:1].isalnum() else ""
