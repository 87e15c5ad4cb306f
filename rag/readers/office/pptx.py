"""PowerPoint presentations: each slide is a page, with its title as heading, its text, tables and notes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pptx import Presentation
from pptx.shapes.autoshape import Shape
from pptx.shapes.base import BaseShape
from pptx.shapes.graphfrm import GraphicFrame
from pptx.shapes.group import GroupShape
from pptx.slide import Slide
from pptx.text.text import TextFrame

from rag.errors import BrokenFile
from rag.readers.office.ooxml import check_package
from rag.readers.source import SourceFile
from rag.readers.table import table_text
from rag.readers.text_builder import TextBuilder
from rag.types import Extract


def read(source: SourceFile) -> Extract:
    properties = check_package(source.path)
    builder = TextBuilder(source)
    try:
        presentation = Presentation(str(source.path))
        slides = list(presentation.slides)
    except (MemoryError, RecursionError):
        raise
    except Exception as error:  # KeyError, ValueError, XMLSyntaxError, ...: depends on what is missing
        raise BrokenFile(f"is damaged, or not a presentation ({type(error).__name__})") from error
    for number, slide in enumerate(slides, 1):
        builder.page(number)
        _add_slide(builder, slide)
    return builder.extract(title=properties.title, language=properties.language)


def _add_slide(builder: TextBuilder, slide: Slide) -> None:
    title = slide.shapes.title
    if title is not None and title.text_frame.text.strip():
        builder.add_heading(2, title.text_frame.text)
    for shape in _shapes(slide.shapes):
        if title is None or shape.shape_id != title.shape_id:
            builder.add(_shape_text(shape))
    if slide.has_notes_slide and (frame := slide.notes_slide.notes_text_frame) is not None and frame.text.strip():
        builder.add(f"Notes: {_clean(frame.text)}")


def _shapes(shapes: Iterable[BaseShape]) -> Iterator[BaseShape]:
    """All shapes, including those in groups."""
    for shape in shapes:
        if isinstance(shape, GroupShape):
            yield from _shapes(shape.shapes)
        else:
            yield shape


def _shape_text(shape: BaseShape) -> str:
    if isinstance(shape, GraphicFrame) and shape.has_table:
        rows = [[cell.text_frame.text for cell in row.cells] for row in shape.table.rows]
        return table_text(rows, has_header=shape.table.first_row or None)
    if isinstance(shape, GraphicFrame) and shape.has_chart:
        return _chart_text(shape)
    return _frame_text(shape.text_frame) if isinstance(shape, Shape) else ""


def _frame_text(frame: TextFrame) -> str:
    """The paragraphs; those below the first level are list items."""
    lines = [("  " * (paragraph.level - 1) + "- " if paragraph.level else "") + _clean(paragraph.text)
             for paragraph in frame.paragraphs if paragraph.text.strip()]  # fmt: skip
    return "\n".join(lines)


def _chart_text(shape: GraphicFrame) -> str:
    chart = shape.chart
    return _clean(chart.chart_title.text_frame.text) if chart.has_title and chart.chart_title.has_text_frame else ""


def _clean(text: str) -> str:
    return text.replace("\v", "\n").strip()
