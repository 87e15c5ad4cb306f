"""Rewrites a Word document so that mammoth converts what it would leave out or misread.

Charts, headers, footers, notes and comments become paragraphs and tables of the body, formulas and tick boxes become
text, text boxes follow their paragraph, numbered paragraphs begin with their label, and hidden text is removed.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from lxml import etree  # type: ignore[import-untyped]

from rag.errors import RagError
from rag.readers.office import omml
from rag.readers.office.package import RELATION_ID, Package
from rag.readers.office.word import xml as word_xml
from rag.readers.office.word.characters import rewrite_characters
from rag.readers.office.word.comments import comments_by_id
from rag.readers.office.word.drawings import remove_drawings, write_drawings
from rag.readers.office.word.numbering import Numbering
from rag.readers.office.word.styles import hidden_styles, mark_headings
from rag.readers.office.word.tables import rewrite_tables
from rag.readers.office.word.xml import W
from rag.readers.reading_report import warning
from rag.readers.safe_xml import Element
from rag.readers.zip_container import open_zip
from rag.types import ReadingWarning

_CHOICE = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_CHECKBOX = "{http://schemas.microsoft.com/office/word/2010/wordml}"
_PAGE_FIELD = re.compile(r"\s*(?:PAGE|NUMPAGES|SECTIONPAGES)\b")
_NOT_COPIED = ("word/media/", "word/embeddings/", "word/fonts/", "word/comments", "docProps/thumbnail")
_OWN_MARKS = (f"{W}footnoteRef", f"{W}endnoteRef", f"{W}annotationRef")
LABEL_START, LABEL_END = "\ue000", "\ue001"
"""They enclose the label of a list item, from the document to the converted HTML."""


class WordPackage:
    """The parts of a Word document that are rewritten."""

    def __init__(self, archive: zipfile.ZipFile, warn: Callable[[ReadingWarning], None]) -> None:
        self._package = Package(archive)
        self._warn = warn
        self.document_name = self._package.main_part() or "word/document.xml"
        self._relations = self._package.relations(self.document_name)

    def rewritten(self) -> bytes:
        """The document part. Raises KeyError or BrokenFile if it is missing or damaged."""
        root = self._package.parse(self.document_name)
        body = root.find(f"{W}body")
        if body is None:
            return self._package.read(self.document_name)
        styles = self._part("styles")
        write_drawings(body, self._package, self._relations, self._warn)
        self._add_headers(body)
        rewrite_characters(body)
        _keep_one_alternative(body)
        self._add_notes(body, "footnote", "note")
        self._add_notes(body, "endnote", "endnote")
        self._add_comments(body)
        _remove_hidden(body, hidden_styles(styles))
        mark_headings(body)
        _write_formulas(body)
        _write_checkboxes(body)
        _add_labels(body, Numbering(self._part("numbering"), styles))
        _move_text_boxes(body)
        remove_drawings(body)
        rewrite_tables(body)
        content: bytes = etree.tostring(root, encoding="utf-8", xml_declaration=True)
        return content

    def _part(self, kind: str) -> Element | None:
        """The first part of a kind; None if there is none, or it is damaged."""
        name = next((name for found, name in self._relations.values() if found == kind), "")
        return self._optional(name, kind)

    def _optional(self, name: str, kind: str) -> Element | None:
        try:
            return self._package.parse(name) if name in self._package else None
        except RagError:
            self._warn(warning("damaged_part", name=kind))
            return None

    def _add_headers(self, body: Element) -> None:
        """Each different header once before the text, each different footer once after it."""
        seen: set[str] = set()
        headers: list[Element] = []
        footers: list[Element] = []
        for kind, collected in (("header", headers), ("footer", footers)):
            for reference in list(body.iter(f"{W}{kind}Reference")):
                part = self._optional(self._relations.get(reference.get(f"{RELATION_ID}id") or "", ("", ""))[1], kind)
                if part is None:
                    continue
                _remove_page_numbers(part)
                text = " ".join(word_xml.plain_text(part).split())
                if text and text not in seen:
                    seen.add(text)
                    collected += _labelled(part, kind.capitalize())
        for position, element in enumerate(headers):
            body.insert(position, element)
        for element in footers:
            body.append(element)

    def _add_notes(self, body: Element, kind: str, label: str) -> None:
        """Each note after the paragraph or table that refers to it."""
        references = list(body.iter(f"{W}{kind}Reference"))
        part = self._part(f"{kind}s") if references else None
        notes = {} if part is None else {note.get(f"{W}id"): note for note in part.findall(W + kind)}
        after: dict[Element, Element] = {}
        for number, reference in enumerate(references, 1):
            note = notes.pop(reference.get(f"{W}id"), None)
            parent = reference.getparent()
            if parent is None:
                continue
            if note is None:
                parent.remove(reference)
                continue
            place = _block_of(reference)
            parent.addprevious(word_xml.run(f" ({label} {number})"))
            parent.remove(reference)
            if place is not None:
                _add_after(place, _labelled(note, f"{label.capitalize()} {number}"), after)

    def _add_comments(self, body: Element) -> None:
        """Each comment after the paragraph or table that it is about; after the text if none refers to it."""
        part = self._part("comments")
        comments = {} if part is None else comments_by_id(part, self._part("commentsExtended"))
        after: dict[Element, Element] = {}
        for reference in list(body.iter(f"{W}commentReference")):
            comment = comments.pop(reference.get(f"{W}id") or "", None)
            place = _block_of(reference)
            if comment is not None and place is not None:
                _add_after(place, _labelled(comment.content, comment.label), after)
        for comment in comments.values():
            for block in _labelled(comment.content, comment.label):
                body.append(block)


def rewritten_package(path: Path, warn: Callable[[ReadingWarning], None]) -> io.BytesIO:
    """The package with its document rewritten, without pictures and comments.

    Raises:
        KeyError, BrokenFile: the document is missing or damaged.
    """
    target = io.BytesIO()
    with open_zip(path) as archive, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as copy:
        package = WordPackage(archive, warn)
        for name in dict.fromkeys(archive.namelist()):
            if name == package.document_name:
                copy.writestr(name, package.rewritten())
            elif not name.startswith(_NOT_COPIED):
                copy.writestr(name, archive.read(name))
    target.seek(0)
    return target


def _block_of(element: Element) -> Element | None:
    """The table or paragraph that an element is in."""
    table = word_xml.outermost(element, "tbl")
    return word_xml.outermost(element, "p") if table is None else table


def _add_after(place: Element, blocks: Sequence[Element], after: dict[Element, Element]) -> None:
    """Add blocks after one of the body, and after those that were added there before."""
    for block in blocks:
        after.get(place, place).addnext(block)
        after[place] = block


def _labelled(part: Element, label: str) -> list[Element]:
    """The blocks of a header, note or the like, whose first paragraph begins with the label. Links become text."""
    for reference in list(part.iter(*_OWN_MARKS, f"{W}drawing", f"{W}pict")):
        if not any(True for _ in reference.iter(f"{W}txbxContent")) and (parent := reference.getparent()) is not None:
            parent.remove(reference)
    for link in part.iter(f"{W}hyperlink"):
        link.tag = f"{W}smartTag"
    blocks = [block for block in part if word_xml.plain_text(block).strip()]
    if blocks and blocks[0].tag == f"{W}p":
        word_xml.prepend(blocks[0], f"{label}: ")
    elif blocks:
        blocks.insert(0, word_xml.paragraph(word_xml.run(f"{label}:")))
    return blocks


def _remove_page_numbers(part: Element) -> None:
    """Remove the fields whose value differs on each page."""
    for field in list(part.iter(f"{W}fldSimple")):
        if _PAGE_FIELD.match(field.get(f"{W}instr") or "") and (parent := field.getparent()) is not None:
            parent.remove(field)
    for paragraph in word_xml.paragraphs(part):
        instruction, depth, removed = "", 0, []
        for run in paragraph.iter(f"{W}r"):
            mark = run.find(f"{W}fldChar")
            kind = mark.get(f"{W}fldCharType") if mark is not None else ""
            depth += kind == "begin"
            instruction += "".join(text.text or "" for text in run.iter(f"{W}instrText")) if depth else ""
            if depth and _PAGE_FIELD.match(instruction):
                removed.append(run)
            if kind == "end":
                depth, instruction = max(depth - 1, 0), ""
        for run in removed:
            for text in list(run.iter(f"{W}t")):
                text.text = ""


def _keep_one_alternative(body: Element) -> None:
    """Word saves a text box twice, for new and for old programs: keep the first."""
    for choice in list(body.iter(f"{_CHOICE}AlternateContent")):
        first = choice.find(f"{_CHOICE}Choice")
        fallback = choice.find(f"{_CHOICE}Fallback")
        if first is not None and fallback is not None and next(first.iter(f"{W}txbxContent"), None) is not None:
            choice.remove(fallback)


def _remove_hidden(body: Element, hidden: frozenset[str]) -> None:
    """Remove the runs that are hidden by themselves, by their style, or by that of their paragraph."""
    for run in list(body.iter(f"{W}r")):
        properties = run.find(f"{W}rPr")
        switch = properties.find(f"{W}vanish") if properties is not None else None
        is_hidden = word_xml.is_on(switch)
        if switch is None and hidden:
            paragraph = next(run.iterancestors(f"{W}p"), None)
            is_hidden = not hidden.isdisjoint(
                (word_xml.value(properties, "rStyle"), word_xml.value(paragraph, "pPr/pStyle"))
            )
        if is_hidden and (parent := run.getparent()) is not None:
            parent.remove(run)


def _write_formulas(body: Element) -> None:
    for formula in list(body.iter(f"{omml.MATH}oMath")):
        parent = formula.getparent()
        if parent is None:
            continue
        text = word_xml.run(omml.linear_text(formula))
        if parent.tag == f"{omml.MATH}oMathPara":
            is_inside = (place := parent.getparent()) is not None and place.tag == f"{W}p"
            parent.addprevious(text if is_inside else word_xml.paragraph(text))
        else:
            formula.addprevious(text)
        parent.remove(formula)


def _write_checkboxes(body: Element) -> None:
    for box in list(body.iter(f"{_CHECKBOX}checkbox")):
        properties = box.getparent()
        control = properties.getparent() if properties is not None else None
        content = control.find(f"{W}sdtContent") if control is not None else None
        if content is None:
            continue
        checked = box.find(f"{_CHECKBOX}checked")
        is_checked = checked is not None and checked.get(f"{_CHECKBOX}val") not in ("0", "false", None)
        texts = list(content.iter(f"{W}t", f"{W}sym"))
        if texts and (place := texts[0].getparent()) is not None:
            place.addprevious(word_xml.run("☑" if is_checked else "☐"))
            place.remove(texts[0])
            assert properties is not None
            properties.remove(box)


def _add_labels(body: Element, numbering: Numbering) -> None:
    for paragraph in list(word_xml.paragraphs(body)):
        if label := numbering.label(paragraph):
            word_xml.prepend(paragraph, f"{LABEL_START}{label}{LABEL_END}")


def _move_text_boxes(body: Element) -> None:
    """Put the text of each text box after its paragraph."""
    for box in reversed(list(body.iter(f"{W}txbxContent"))):
        place, parent = next(box.iterancestors(f"{W}p"), None), box.getparent()
        if place is not None and parent is not None:
            parent.remove(box)
            for block in reversed(list(box)):
                place.addnext(block)
