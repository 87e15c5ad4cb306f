"""The shapes of a slide as blocks of text."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from rag.readers.office.drawings.chart import chart_blocks
from rag.readers.office.drawings.diagram import DIAGRAM, diagram_text
from rag.readers.office.drawings.parts import Place, alternative_text, is_decorative, related_drawing, unread_object
from rag.readers.office.drawings.text import A, body_text
from rag.readers.office.package import RELATION_ID, Package, Relation, choose_alternatives
from rag.readers.office.slides.placeholders import PlaceholderBoxes, placeholder_type
from rag.readers.office.slides.reading_order import GROUP, P, shapes_in_reading_order
from rag.readers.office.slides.table import slide_table_text
from rag.readers.reading_report import warning
from rag.readers.safe_xml import Element
from rag.types import ReadingWarning

_MEDIA = {
    "videoFile": "video",
    "audioFile": "sound",
    "wavAudioFile": "sound",
    "audioCd": "sound",
    "quickTimeFile": "video",
}
_TITLES = ("title", "ctrTitle")


class Slide:
    """A slide, or the page with its notes. Reports what is not read of it.

    Args:
        name: The part's name.
        place: Where it is: `("slide", 3)`.
        unread_pictures: Takes the names of the pictures that have no description.
    """

    def __init__(
        self,
        package: Package,
        name: str,
        place: Place,
        warn: Callable[[ReadingWarning], None],
        unread_pictures: set[str],
    ) -> None:
        self._package = package
        self._place = place
        self._warn = warn
        self._unread_pictures = unread_pictures
        self.root = package.parse(name)
        self.relations: Mapping[str, Relation] = package.relations(name)
        choose_alternatives(self.root)
        self._tree = self.root.find(f"{P}cSld/{P}spTree")
        shapes = self._tree if self._tree is not None else ()
        self._title = next((shape for shape in shapes if placeholder_type(shape) in _TITLES), None)

    @property
    def is_hidden(self) -> bool:
        return self.root.get("show") in ("0", "false")

    def related(self, kind: str) -> Iterator[str]:
        """The names of the related parts of a kind."""
        return (relation.name for relation in self.relations.values() if relation.kind == kind)

    def title(self) -> str:
        return _shape_text(self._title) if self._title is not None else ""

    def texts(self, kind: str) -> list[str]:
        """The text of the placeholders of a kind, such as `ftr`."""
        shapes = self._tree if self._tree is not None else ()
        return [text for shape in shapes if placeholder_type(shape) == kind and (text := _shape_text(shape))]

    def blocks(self, boxes: PlaceholderBoxes, *, without: frozenset[str]) -> Iterator[str]:
        """The text of all shapes but the title, in reading order.

        Args:
            without: The kinds of placeholders that are left out.
        """
        if self._tree is None:
            return
        for shape in shapes_in_reading_order(self._tree, boxes.box):
            if shape is not self._title and placeholder_type(shape) not in without:
                yield from self._shape_blocks(shape)

    def _shape_blocks(self, shape: Element) -> Iterator[str]:
        properties = next(shape.iter(f"{P}cNvPr"), None)
        description = alternative_text(properties)
        if properties is not None and properties.get("hidden") in ("1", "true"):
            self._warn(self._warning("hidden_shape"))
        if shape.tag == f"{P}graphicFrame":
            yield from self._frame_blocks(shape, description)
        elif shape.tag == f"{P}pic":
            yield self._picture(shape, properties, description)
        elif shape.tag == f"{P}contentPart":
            self._warn(self._warning("handwriting"))
        else:
            text = _shape_text(shape) if shape.tag != GROUP else ""
            yield text or description

    def _picture(self, shape: Element, properties: Element | None, description: str) -> str:
        for element in shape.iter(*(A + name for name in _MEDIA)):
            self._warn(self._warning(_MEDIA[element.tag[len(A) :]]))
            return description
        if not description and not is_decorative(properties):
            picture = next(shape.iter(f"{A}blip"), None)
            relation = self.relations.get((picture.get(f"{RELATION_ID}embed") if picture is not None else None) or "")
            self._unread_pictures.add(relation.name if relation else f"{self._place} {len(self._unread_pictures)}")
        return description

    def _frame_blocks(self, frame: Element, description: str) -> Iterator[str]:
        data = frame.find(f"{A}graphic/{A}graphicData")
        content = next(iter(data), None) if data is not None else None
        if data is None or content is None:
            yield description
        elif content.tag == f"{A}tbl":
            yield from slide_table_text(content)
        elif content.tag == DIAGRAM:
            root = self._related_root(content.get(f"{RELATION_ID}dm"), "diagram")
            yield diagram_text(root) if root is not None else description
        elif content.tag.endswith("}chart"):
            root = self._related_root(content.get(f"{RELATION_ID}id"), "chart")
            yield from chart_blocks(root) if root is not None else (description,)
        else:
            kind = content.get("progId") or posixpath.basename(data.get("uri") or "")
            self._warn(unread_object(kind, self._place))
            yield description

    def _warning(self, code: str) -> ReadingWarning:
        place, number = self._place
        return warning(code, place=place, name=number)

    def _related_root(self, relation_id: str | None, noun: Literal["chart", "diagram"]) -> Element | None:
        return related_drawing(self._package, self.relations.get(relation_id or ""), noun, self._warn, self._place)


def _shape_text(shape: Element) -> str:
    body = shape.find(f"{P}txBody")
    return body_text(body) if body is not None else ""
