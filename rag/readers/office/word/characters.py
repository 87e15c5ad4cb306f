"""Characters that mammoth would drop: those of fields, ruby annotations, symbol fonts and line breaks."""

from __future__ import annotations

from typing import Final

from lxml import etree  # type: ignore[import-untyped]

from rag.readers.office.word.xml import W
from rag.readers.safe_xml import Element

_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
_CONTAINERS = tuple(W + name for name in ("fldSimple", "bdo", "dir", "customXml"))
_SYMBOLS: Final = dict(
    zip(
        (*range(0x61, 0x7B), *range(0x41, 0x5B)),
        "αβχδεφγηιϕκλμνοπθρστυϖωξψζΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ",
        strict=True,
    )
) | {
    0xA2: "′", 0xA3: "≤", 0xA5: "∞", 0xAB: "↔", 0xAC: "←", 0xAD: "↑", 0xAE: "→", 0xAF: "↓", 0xB0: "°", 0xB1: "±",
    0xB2: "″", 0xB3: "≥", 0xB4: "×", 0xB5: "∝", 0xB6: "∂", 0xB7: "•", 0xB8: "÷", 0xB9: "≠", 0xBA: "≡", 0xBB: "≈",
    0xC6: "∅", 0xC7: "∩", 0xC8: "∪", 0xCE: "∈", 0xD1: "∇", 0xD5: "∏", 0xD6: "√", 0xD7: "⋅", 0xDE: "⇒", 0xE5: "∑",
    0xF2: "∫", 0x22: "∀", 0x24: "∃", 0x2D: "−",
}  # fmt: skip
"""The characters of the font Symbol."""


def rewrite_characters(body: Element) -> None:
    """Keep the text of fields and directions, the base of ruby, the symbols of the font Symbol, and line ends."""
    for ruby in list(body.iter(f"{W}ruby")):
        _replace_ruby(ruby)
    for container in body.iter(*_CONTAINERS):
        container.tag = f"{W}smartTag"  # whose content mammoth reads
    for end in body.iter(f"{W}cr"):
        end.tag = f"{W}br"
    for tab in body.iter(f"{W}ptab"):
        tab.tag = f"{W}tab"
    for symbol in list(body.iter(f"{W}sym")):
        _replace_symbol(symbol)


def _replace_ruby(ruby: Element) -> None:
    """Put the base text in the place of ruby, whose run holds nothing else."""
    run = ruby.getparent()
    text = "".join(part.text or "" for base in ruby.findall(f"{W}rubyBase") for part in base.iter(f"{W}t"))
    if run is not None:
        ruby.addprevious(_text(text))
        run.remove(ruby)


def _replace_symbol(symbol: Element) -> None:
    run = symbol.getparent()
    code = symbol.get(f"{W}char") or ""
    is_known = (symbol.get(f"{W}font") or "").lower() in ("symbol", "symbol mt")
    try:
        number = int(code, 16) & 0xFF
    except ValueError:
        return
    if run is not None and is_known:
        symbol.addprevious(_text(_SYMBOLS.get(number) or (chr(number) if 0x20 <= number < 0x7F else "\ufffd")))
        run.remove(symbol)


def _text(text: str) -> Element:
    element: Element = etree.Element(f"{W}t")
    element.text = text
    element.set(_SPACE, "preserve")
    return element
