"""MathML -> a formula in one line."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rag.readers.notation import linear_math
from rag.readers.safe_xml import Element

_IGNORED = frozenset(("annotation", "annotation-xml", "mphantom"))
_SPACED = frozenset("=≠<>≤≥≈≡→←↔⇒⇔∈∉⊂⊆∪∩+±×·÷")


def linear_text(element: Element) -> str:
    """The formula in one line. Raises RecursionError if it is nested too deeply."""
    return " ".join(_text(element).split())


def _text(element: Element) -> str:
    tag = str(element.tag).rpartition("}")[2].rpartition(":")[2]
    if tag in _IGNORED:
        return ""
    parts = [_text(child) for child in element]
    if (layout := _LAYOUTS.get(tag)) and len(parts) >= layout[0]:
        return layout[1](parts)
    if tag == "msqrt":
        return linear_math.root("".join(parts))
    if parts:
        return ("; " if tag == "mtable" else ", " if tag == "mtr" else "").join(parts)
    text = " ".join((element.text or "").split())
    return f" {text} " if tag == "mo" and text in _SPACED else text


_LAYOUTS: Mapping[str, tuple[int, Callable[[list[str]], str]]] = {
    "msup": (2, lambda parts: linear_math.power(parts[0], parts[1])),
    "msub": (2, lambda parts: linear_math.index(parts[0], parts[1])),
    "msubsup": (3, lambda parts: linear_math.power(linear_math.index(parts[0], parts[1]), parts[2])),
    "munder": (2, lambda parts: linear_math.bounds(parts[0], parts[1], "")),
    "mover": (2, lambda parts: "".join(parts)),
    "munderover": (3, lambda parts: linear_math.bounds(parts[0], parts[1], parts[2])),
    "mfrac": (2, lambda parts: linear_math.fraction(parts[0], parts[1])),
    "mroot": (2, lambda parts: linear_math.root(parts[0], parts[1])),
}
