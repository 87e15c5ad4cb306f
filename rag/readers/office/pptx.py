"""PowerPoint presentations: each slide is a page, with its title as heading, its text, tables, charts and notes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Literal

from rag.errors import BrokenFile
from rag.readers.extract.text_builder import TextBuilder
from rag.readers.office.ooxml import check_package
from rag.readers.office.package import RELATION_ID, Package
from rag.readers.office.slides.comments import author_names, comment_texts
from rag.readers.office.slides.placeholders import PlaceholderBoxes
from rag.readers.office.slides.reading_order import P
from rag.readers.office.slides.slide import Slide
from rag.readers.reading_report import warning
from rag.readers.source import SourceFile
from rag.readers.zip_container import open_zip
from rag.types import Extract

_FOOTERS = ("hdr", "dt", "ftr")
_REPEATED = frozenset((*_FOOTERS, "sldNum", "sldImg"))
"""Placeholders that are the same on each slide, or are not text."""


def read(source: SourceFile) -> Extract:
    properties = check_package(source.path)
    builder = TextBuilder(source)
    with open_zip(source.path) as archive:
        try:
            _Deck(Package(archive), builder).add_slides()
        except KeyError as error:
            raise BrokenFile(f"is damaged, or not a presentation ({error})") from error
    return builder.extract(title=properties.title, language=properties.language)


class _Deck:
    def __init__(self, package: Package, builder: TextBuilder) -> None:
        """Raises KeyError or BrokenFile if the presentation's main part is missing or damaged."""
        self._package = package
        self._builder = builder
        name = package.main_part()
        self._presentation = package.parse(name)
        self._relations = package.relations(name)
        self._authors = author_names(package, self._relations.values())
        self._boxes: dict[str, PlaceholderBoxes] = {}
        self._footers: set[str] = set()
        self._unread_pictures: set[str] = set()

    def add_slides(self) -> None:
        for number, name in enumerate(self._slide_names(), 1):
            self._builder.page(number)
            slide = self._slide(name, "slide", number)
            if slide is not None:
                self._add_slide(number, slide)
        if self._unread_pictures:
            self._builder.warn(warning("pictures_without_text", count=len(self._unread_pictures)))

    def _slide_names(self) -> Iterator[str]:
        for reference in self._presentation.findall(f"{P}sldIdLst/{P}sldId"):
            relation = self._relations.get(reference.get(f"{RELATION_ID}id") or "")
            yield relation.name if relation else ""

    def _slide(self, name: str, place: Literal["slide", "notes"], number: int) -> Slide | None:
        """None if the slide cannot be read, which is reported."""
        try:
            return Slide(self._package, name, (place, number), self._builder.warn, self._unread_pictures)
        except KeyError:
            self._builder.warn(warning(f"missing_{place}", name=number))
        except BrokenFile:
            self._builder.warn(warning(f"damaged_{place}", name=number))
        return None

    def _add_slide(self, number: int, slide: Slide) -> None:
        hidden = " (hidden)" if slide.is_hidden else ""
        if hidden:
            self._builder.warn(warning("hidden_slide", name=number))
        blocks = filter(str.strip, self._blocks(number, slide))
        title, first = " ".join(slide.title().split()), next(blocks, "")
        if title or first:
            heading = f"{title or f'Slide {number}'}{hidden}"
            self._builder.add_heading(2, heading, f"## {heading}")
        for block in chain((first,), blocks):
            self._builder.add(block)

    def _blocks(self, number: int, slide: Slide) -> Iterator[str]:
        yield from slide.blocks(self._layout_boxes(slide), without=_REPEATED)
        yield from self._new_footers(slide)
        yield from self._notes(number, slide)
        yield from self._comments(number, slide)

    def _layout_boxes(self, slide: Slide) -> PlaceholderBoxes:
        layout = next(slide.related("slideLayout"), "")
        if layout not in self._boxes:
            self._boxes[layout] = PlaceholderBoxes(self._package, layout)
        return self._boxes[layout]

    def _new_footers(self, slide: Slide) -> Iterator[str]:
        """Each different footer once, on the first slide that has it."""
        for kind in _FOOTERS:
            for text in slide.texts(kind):
                if text not in self._footers:
                    self._footers.add(text)
                    yield f"Footer: {text}"

    def _notes(self, number: int, slide: Slide) -> Iterator[str]:
        for name in slide.related("notesSlide"):
            page = self._slide(name, "notes", number)
            blocks = page.blocks(PlaceholderBoxes(self._package, ""), without=_REPEATED) if page is not None else ()
            if text := "\n\n".join(filter(None, blocks)):
                yield f"Notes: {text}"

    def _comments(self, number: int, slide: Slide) -> Iterator[str]:
        for name in slide.related("comments"):
            try:
                yield from comment_texts(self._package.parse(name), self._authors)
            except (KeyError, BrokenFile):
                self._builder.warn(warning("missing_comments", name=number))
