"""A chart's title and numbers as text, from the values that are saved with the chart.

Output by plant
Value axis: Tonnes

|  | 2023 | 2024 |
| --- | --- | --- |
| Graz | 398 | 412 |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from openpyxl.styles.numbers import is_date_format  # type: ignore[import-untyped]
from openpyxl.utils.datetime import MAC_EPOCH, WINDOWS_EPOCH, from_excel  # type: ignore[import-untyped]

from rag.readers.office.drawings.text import A, paragraph_text
from rag.readers.safe_xml import Element
from rag.readers.tables.table import table_text

CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_CX = "{http://schemas.microsoft.com/office/drawing/2014/chartex}"
"""Charts of Office 2016: waterfall, treemap, funnel, box and whisker."""
_MAX_CELLS = 200_000
"""A larger table would mostly be empty: each series gets a table of its own."""
_LEVEL_SEPARATOR = " / "
_MAX_LEVELS = 10
_TITLES = (f"{CHART}title", f"{_CX}title")
_Points = Mapping[int, str]


@dataclass(frozen=True, slots=True)
class _Series:
    name: str
    categories: _Points
    """For a scatter chart the values of x."""
    values: _Points
    sizes: _Points = field(default_factory=dict)
    """The sizes of bubbles."""


class Chart(NamedTuple):
    """The text of a chart."""

    heading: str
    """Its title, and those of its value axes; may be empty."""
    tables: list[list[list[str]]]
    """The rows of its tables; the first row has the names of the series."""


def read_chart(root: Element) -> Chart:
    """Read a chart.

    Args:
        root: The root of the chart's part.
    """
    is_extended = root.tag.startswith(_CX)
    series = list(_extended_series(root) if is_extended else _series(root))
    title = _title(root.find(f"{_CX}chart" if is_extended else f"{CHART}chart"))
    categories, values = _axis_titles(root)
    heading = [title, f"Value axis: {values}" if values else ""]
    return Chart("\n".join(filter(None, heading)), [rows for rows in _tables(categories, series) if len(rows) > 1])


def chart_blocks(root: Element) -> Iterator[str]:
    """The heading of a chart and its tables as text; a block may be empty."""
    chart = read_chart(root)
    yield chart.heading
    for rows in chart.tables:
        yield table_text(rows, has_header=True)


def _tables(corner: str, series: Sequence[_Series]) -> Iterator[list[list[str]]]:
    """One table for all series with the same categories."""
    by_categories: dict[tuple[tuple[int, str], ...], list[_Series]] = {}
    for one in series:
        by_categories.setdefault(tuple(one.categories.items()), []).append(one)
    for group in by_categories.values():
        rows = {index for one in group for index in (*one.categories, *one.values)}
        if len(rows) * len(group) <= _MAX_CELLS:
            yield _table(corner, group)
        else:
            yield from (_table(corner, [one]) for one in group)


def _table(corner: str, group: Sequence[_Series]) -> list[list[str]]:
    columns: list[tuple[str, _Points]] = [(corner, group[0].categories)]
    for series in group:
        columns.append((series.name, series.values))
        if series.sizes:
            columns.append((f"{series.name} (size)", series.sizes))
    rows = sorted({index for _, points in columns for index in points})
    return [[name for name, _ in columns], *([points.get(index, "") for _, points in columns] for index in rows)]


def _series(root: Element) -> Iterator[_Series]:
    is_1904 = (date := root.find(f"{CHART}date1904")) is not None and date.get("val") not in ("0", "false")
    first: _Points = {}
    for number, element in enumerate(root.iter(f"{CHART}ser"), 1):
        name = element.find(f"{CHART}tx")
        categories = _points(_either(element, "cat", "xVal"), is_1904) or first
        first = first or categories
        yield _Series(
            _text(name) or f"Series {number}",
            categories,
            _labelled(_points(_either(element, "val", "yVal"), is_1904), element),
            _points(element.find(f"{CHART}bubbleSize"), is_1904),
        )


def _either(element: Element, *names: str) -> Element | None:
    return next((found for name in names if (found := element.find(CHART + name)) is not None), None)


def _points(element: Element | None, is_1904: bool) -> _Points:
    """The saved values by their index."""
    if element is None:
        return {}
    levels = [_level(level, is_1904) for level in element.iter(f"{CHART}lvl")]
    return _joined(levels) if levels else _level(element, is_1904)


def _joined(levels: Sequence[_Points]) -> _Points:
    """The levels of a category, `2024 / Q1`. The innermost comes first; a point of another holds until the next."""
    levels = levels[:_MAX_LEVELS]
    joined: dict[int, str] = {}
    outer = [""] * (len(levels) - 1)
    for index in sorted({index for level in levels for index in level}):
        outer = [level.get(index, last) for level, last in zip(levels[1:], outer, strict=True)]
        joined[index] = _LEVEL_SEPARATOR.join(filter(None, (*reversed(outer), levels[0].get(index, ""))))
    return joined


def _level(element: Element, is_1904: bool) -> dict[int, str]:
    cache = next(element.iter(f"{CHART}numCache", f"{CHART}numLit"), None)
    code = (cache.findtext(f"{CHART}formatCode") if cache is not None else None) or ""
    return {
        index: _number_text(value, point.get("formatCode") or code, is_1904) if cache is not None else value
        for point in element.iter(f"{CHART}pt")
        if (value := (point.findtext(f"{CHART}v") or "").strip()) and (index := _index(point.get("idx"))) is not None
    }


def _index(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and len(text) < 10 else None


def _number_text(raw: str, code: str, is_1904: bool) -> str:
    """A number as the chart displays it, but with all its digits: percentages, dates."""
    try:
        number = float(raw)
        if is_date_format(code):
            moment = from_excel(number, MAC_EPOCH if is_1904 else WINDOWS_EPOCH)
            return str(moment.isoformat(" ", "seconds")).removesuffix(" 00:00:00")
    except (ValueError, OverflowError, TypeError):
        return raw
    return f"{number * 100:.12g}%" if "%" in code else f"{number:.15g}"


def _labelled(values: _Points, series: Element) -> _Points:
    """The values, with the labels that were written by hand: `412 (record)`."""
    labels = {
        index: text
        for label in series.iter(f"{CHART}dLbl")
        if (mark := label.find(f"{CHART}idx")) is not None
        and (index := _index(mark.get("val"))) is not None
        and (text := _text(label.find(f"{CHART}tx")))
        and not text.startswith("[")  # a field that stands for the value
    }
    return {
        index: f"{value} ({labels[index]})" if labels.get(index, value) != value else value
        for index, value in values.items()
    }


def _extended_series(root: Element) -> Iterator[_Series]:
    data = {element.get("id"): element for element in root.iter(f"{_CX}data")}
    for number, element in enumerate(root.iter(f"{_CX}series"), 1):
        reference = element.find(f"{_CX}dataId")
        source = data.get(reference.get("val")) if reference is not None else None
        if source is not None:
            yield _Series(
                (element.findtext(f"{_CX}tx/{_CX}txData/{_CX}v") or "").strip() or f"Series {number}",
                _extended_points(source.find(f"{_CX}strDim")),
                _extended_points(source.find(f"{_CX}numDim")),
            )


def _extended_points(dimension: Element | None) -> _Points:
    levels = [
        {
            index: text
            for point in level.findall(f"{_CX}pt")
            if (text := (point.text or "").strip()) and (index := _index(point.get("idx"))) is not None
        }
        for level in (dimension.findall(f"{_CX}lvl") if dimension is not None else ())
    ]
    return _joined(levels) if levels else {}


def _title(owner: Element | None) -> str:
    children = owner if owner is not None else ()
    return _text(next((child for child in children if child.tag in _TITLES), None))


def _text(element: Element | None) -> str:
    """Formatted text, or the saved value of a cell."""
    if element is None:
        return ""
    texts = [paragraph_text(paragraph) for paragraph in element.iter(f"{A}p")]
    texts = texts if any(texts) else [value.text or "" for value in element.iter(f"{CHART}v", f"{_CX}v")]
    return " ".join(" ".join(texts).split())


def _axis_titles(root: Element) -> tuple[str, str]:
    """The titles of the category axes and of the value axes. A scatter chart's horizontal axis counts as the former."""
    is_scatter = next(root.iter(f"{CHART}scatterChart", f"{CHART}bubbleChart"), None) is not None
    titles: dict[bool, dict[str, None]] = {True: {}, False: {}}
    for axis in root.iter(*(CHART + name for name in ("catAx", "dateAx", "serAx", "valAx"))):
        position = axis.find(f"{CHART}axPos")
        is_horizontal = position is not None and position.get("val") in ("b", "t")
        is_category = is_horizontal if is_scatter else axis.tag != f"{CHART}valAx"
        if title := _title(axis):
            titles[is_category][title] = None
    return " / ".join(titles[True]), " / ".join(titles[False])
