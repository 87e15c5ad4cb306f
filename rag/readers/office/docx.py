"""Word documents: DOCX -> rewritten DOCX -> HTML (mammoth) -> Markdown."""

from __future__ import annotations

import re

import mammoth  # type: ignore[import-untyped]

from rag.errors import BrokenFile, ParsingLimit, UnsupportedFile
from rag.readers.extract.text_builder import TextBuilder
from rag.readers.html.blocks import LIST_LABEL
from rag.readers.html.reader import parse_html
from rag.readers.office.ooxml import check_package
from rag.readers.office.word.package import LABEL_END, LABEL_START, rewritten_package
from rag.readers.office.word.styles import OUTLINE_STYLE
from rag.readers.source import SourceFile
from rag.types import Extract

_STYLES = "\n".join(
    (
        "p[style-name='Title'] => h1:fresh",
        "p[style-name='Subtitle'] => p:fresh",
        *(f"p.{OUTLINE_STYLE}{level} => h{level}:fresh" for level in range(1, 7)),
    )
)
_ITEM_LABEL = re.compile(rf"<li>((?:<[^>]*>)*){LABEL_START}([^{LABEL_END}]*){LABEL_END}")
_LABEL = re.compile(rf"{LABEL_START}([^{LABEL_END}]*){LABEL_END}")


def read(source: SourceFile) -> Extract:
    properties = check_package(source.path)
    builder = TextBuilder(source)
    page = parse_html(_to_html(source, builder))
    builder.add_blocks(page.blocks)
    first_title = next((block.title for block in page.blocks if block.level == 1), "")
    return builder.extract(title=properties.title or first_title, language=properties.language)


def _to_html(source: SourceFile, builder: TextBuilder) -> str:
    """Raises BrokenFile if parts of the document are missing or invalid."""
    try:
        package = rewritten_package(source.path, builder.warn)
        result = mammoth.convert_to_html(package, style_map=_STYLES, convert_image=lambda image: [])
    except RecursionError:
        raise ParsingLimit("has elements nested too deeply") from None
    except (MemoryError, UnsupportedFile):
        raise
    except Exception as error:  # mammoth has no error class: KeyError, AttributeError, ExpatError, ...
        raise BrokenFile(f"is damaged, or not a Word document ({type(error).__name__})") from error
    return _with_labels(str(result.value))


def _with_labels(html: str) -> str:
    """The labels of list items as attributes; other numbered paragraphs, such as headings, begin with theirs."""
    return _LABEL.sub(r"\1 ", _ITEM_LABEL.sub(rf'<li {LIST_LABEL}="\2">\1', html))
