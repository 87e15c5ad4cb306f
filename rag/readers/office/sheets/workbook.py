"""The parts of an Excel workbook that its sheets refer to, in the transitional or the strict namespace."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from openpyxl.utils.escape import unescape  # type: ignore[import-untyped]

from rag.errors import BrokenFile
from rag.readers.notation.scripts import subscript, superscript
from rag.readers.office.package import Package
from rag.readers.office.sheets.number_format import BUILT_IN, GENERAL
from rag.readers.safe_xml import Element, iterate_xml, parse_xml

_SCRIPTS = {"superscript": superscript, "subscript": subscript}


class SheetPart(NamedTuple):
    """A sheet of the workbook."""

    name: str
    kind: str
    """`worksheet`, `chartsheet`, `dialogsheet` or a kind of macro sheet."""
    part: str
    is_hidden: bool


@dataclass(frozen=True, slots=True)
class Workbook:
    """What the sheets of a workbook have in common."""

    sheets: tuple[SheetPart, ...]
    strings: list[str]
    formats: list[str]
    """The number formats, by the number of the style."""
    is_1904: bool
    """Whether days are counted from 1904."""
    is_recalculated: bool
    """Whether formulas are calculated on opening: the program that saved the file may have saved 0 as their value."""


def open_workbook(archive: zipfile.ZipFile) -> Workbook:
    """Raises BrokenFile if there is no workbook in the package."""
    part = next(
        (relation.name for relation in Package(archive).relations("").values() if relation.kind == "officeDocument"),
        "xl/workbook.xml",
    )
    root = parse_xml(archive.read(part))
    if root.find("{*}sheets") is None:
        raise BrokenFile("is damaged, or not a workbook")
    related = Package(archive).relations(part)
    names = set(archive.namelist())
    by_kind = {relation.kind: relation.name for relation in related.values() if relation.name in names}
    properties, calculation = root.find("{*}workbookPr"), root.find("{*}calcPr")
    sheets = []
    for sheet in root.findall("{*}sheets/{*}sheet"):
        relation = related.get(attribute(sheet, "id"))
        sheets.append(
            SheetPart(
                sheet.get("name") or "",
                relation.kind if relation else "",
                relation.name if relation and relation.name in names else "",
                (sheet.get("state") or "visible") != "visible",
            )
        )
    return Workbook(
        tuple(sheets),
        _strings(archive, by_kind.get("sharedStrings", "")),
        _formats(archive, by_kind.get("styles", "")),
        properties is not None and is_true(properties.get("date1904")),
        calculation is not None and is_true(calculation.get("fullCalcOnLoad")),
    )


def attribute(element: Element, name: str) -> str:
    """An attribute of the relationships namespace, whichever it is."""
    return next((value for key, value in element.attrib.items() if key.endswith(f"/relationships}}{name}")), "")


def is_true(value: str | None) -> bool:
    return value in ("1", "true", "on")


def rich_text(element: Element) -> str:
    """The text of a string, without the reading aids of East Asian text."""
    runs: list[tuple[str, str]] = []
    for child in element:
        if child.tag.endswith("}t"):
            runs.append(("", child.text or ""))
        elif child.tag.endswith("}r"):
            shift = child.find("{*}rPr/{*}vertAlign")
            runs.append((shift.get("val") or "" if shift is not None else "", child.findtext("{*}t") or ""))
    text: str = unescape(_with_scripts(runs) if any(shift for shift, _ in runs) else "".join(text for _, text in runs))
    return text


def _with_scripts(runs: Sequence[tuple[str, str]]) -> str:
    """The text of runs, each with its vertical alignment."""
    text = ""
    for index, (shift, content) in enumerate(runs):
        notation = _SCRIPTS.get(shift)
        following = runs[index + 1][1] if index + 1 < len(runs) else ""
        text += notation(text, content, following) if notation and content.strip() else content
    return text


def _strings(archive: zipfile.ZipFile, part: str) -> list[str]:
    if not part:
        return []
    with archive.open(part) as file:
        return [rich_text(element) for element in iterate_xml(file, "si")]


def _formats(archive: zipfile.ZipFile, part: str) -> list[str]:
    if not part:
        return []
    root = parse_xml(archive.read(part))
    own = {item.get("numFmtId"): item.get("formatCode") or "" for item in root.findall("{*}numFmts/{*}numFmt")}
    ids = [style.get("numFmtId") or "0" for style in root.findall("{*}cellXfs/{*}xf")]
    return [own.get(number) or BUILT_IN.get(int(number) if number.isdecimal() else 0, GENERAL) for number in ids]
