"""Word documents: DOCX -> HTML (mammoth) -> Markdown."""

from __future__ import annotations

import mammoth  # type: ignore[import-untyped]

from rag.errors import BrokenFile
from rag.readers.html.reader import parse_html
from rag.readers.office.ooxml import check_package
from rag.readers.source import SourceFile
from rag.readers.text_builder import TextBuilder
from rag.types import Extract

_STYLES = "p[style-name='Title'] => h1:fresh\np[style-name='Subtitle'] => p:fresh"


def read(source: SourceFile) -> Extract:
    properties = check_package(source.path)
    page = parse_html(_to_html(source))
    builder = TextBuilder(source)
    builder.add_blocks(page.blocks)
    first_title = next((block.title for block in page.blocks if block.level == 1), "")
    return builder.extract(title=properties.title or first_title, language=properties.language)


def _to_html(source: SourceFile) -> str:
    """Raises BrokenFile if parts of the document are missing or invalid."""
    try:
        with source.path.open("rb") as file:
            result = mammoth.convert_to_html(file, style_map=_STYLES, convert_image=lambda image: [])
    except (MemoryError, RecursionError):
        raise
    except Exception as error:  # mammoth has no error class: KeyError, AttributeError, ExpatError, ...
        raise BrokenFile(f"is damaged, or not a Word document ({type(error).__name__})") from error
    return str(result.value)
