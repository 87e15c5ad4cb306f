"""Office's formulas (OMML) -> a formula in one line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rag.readers.notation import linear_math
from rag.readers.safe_xml import Element

MATH = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"


def linear_text(element: Element) -> str:
    """The formula in one line. Raises RecursionError if it is nested too deeply."""
    return " ".join(_text(element).split())


def _text(element: Element) -> str:
    tag = str(element.tag)
    if not tag.startswith(MATH):
        return (element.text or "") if tag.endswith("}t") else "".join(map(_text, _parts(element)))
    name = tag[len(MATH) :]
    if name == "t":
        return element.text or ""
    layout = _LAYOUTS.get(name)
    return layout(element) if layout else "".join(map(_text, _parts(element)))


def _parts(element: Element) -> Sequence[Element]:
    return [child for child in element if isinstance(child.tag, str) and not child.tag.endswith("Pr")]


def _part(element: Element, name: str) -> str:
    child = element.find(MATH + name)
    return _text(child).strip() if child is not None else ""


def _property(element: Element, path: str, default: str) -> str:
    found = element.find("/".join(MATH + name for name in path.split("/")))
    value = found.get(f"{MATH}val") if found is not None else None
    return default if value is None else value


def _delimited(element: Element) -> str:
    start, end = _property(element, "dPr/begChr", "("), _property(element, "dPr/endChr", ")")
    separator = _property(element, "dPr/sepChr", "|")
    return start + separator.join(_text(part).strip() for part in element.findall(f"{MATH}e")) + end


def _nary(element: Element) -> str:
    sign = _property(element, "naryPr/chr", "∫")
    return linear_math.bounds(sign, _part(element, "sub"), _part(element, "sup")) + _part(element, "e")


def _matrix(element: Element) -> str:
    rows = (", ".join(_text(cell).strip() for cell in row) for row in element.findall(f"{MATH}mr"))
    return f"[{'; '.join(rows)}]"


_LAYOUTS: Mapping[str, Callable[[Element], str]] = {
    "sSup": lambda e: linear_math.power(_part(e, "e"), _part(e, "sup")),
    "sSub": lambda e: linear_math.index(_part(e, "e"), _part(e, "sub")),
    "sSubSup": lambda e: linear_math.power(linear_math.index(_part(e, "e"), _part(e, "sub")), _part(e, "sup")),
    "f": lambda e: linear_math.fraction(_part(e, "num"), _part(e, "den")),
    "rad": lambda e: linear_math.root(_part(e, "e"), _part(e, "deg")),
    "d": _delimited,
    "nary": _nary,
    "m": _matrix,
    "func": lambda e: f"{_part(e, 'fName')} {_part(e, 'e')}",
    "limLow": lambda e: linear_math.bounds(_part(e, "e"), _part(e, "lim"), "").strip(),
    "limUpp": lambda e: linear_math.power(_part(e, "e"), _part(e, "lim")),
    "eqArr": lambda e: "; ".join(_text(part).strip() for part in e.findall(f"{MATH}e")),
}
