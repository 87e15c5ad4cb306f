"""Reads the annotations of a PDF page: filled form fields, text typed onto the page, and comments."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pypdfium2 as pdfium  # type: ignore[import-untyped]
import pypdfium2.raw as pdfium_c  # type: ignore[import-untyped]

from rag.readers.pdf.layout.box import Box, shown_box
from rag.readers.pdf.layout.page_lines import plain_text

_MAX_ANNOTATIONS = 5_000
"""The limit for one page."""
_MAX_OPTIONS = 1_000
_MAX_BYTES = 2_000_000
_HIDDEN = pdfium_c.FPDF_ANNOT_FLAG_HIDDEN | pdfium_c.FPDF_ANNOT_FLAG_NOVIEW
_BUTTONS = (pdfium_c.FPDF_FORMFIELD_CHECKBOX, pdfium_c.FPDF_FORMFIELD_RADIOBUTTON)
_CHOICES = (pdfium_c.FPDF_FORMFIELD_COMBOBOX, pdfium_c.FPDF_FORMFIELD_LISTBOX)
_WITHOUT_COMMENT = (pdfium_c.FPDF_ANNOT_LINK, pdfium_c.FPDF_ANNOT_POPUP, pdfium_c.FPDF_ANNOT_WIDGET)


class Field(NamedTuple):
    """A form field, or text typed onto the page."""

    text: str
    """The value; `[x]` or `[ ]` for a check box or radio button."""
    box: Box
    name: str = ""
    """What the form calls the field; empty for text typed onto the page."""
    is_button: bool = False


class Annotations(NamedTuple):
    fields: list[Field]
    comments: list[str]


def page_annotations(page: pdfium.PdfPage) -> Annotations:
    """The filled fields and the comments of a page. Passwords and hidden fields are not read."""
    found = Annotations([], [])
    count = min(pdfium_c.FPDFPage_GetAnnotCount(page), _MAX_ANNOTATIONS)
    for index in range(count):
        with _annotation(page, index) as annotation:
            if annotation is None or pdfium_c.FPDFAnnot_GetFlags(annotation) & _HIDDEN:
                continue
            kind = pdfium_c.FPDFAnnot_GetSubtype(annotation)
            if kind == pdfium_c.FPDF_ANNOT_WIDGET and page.formenv is not None:
                found.fields.extend(_field(page, annotation))
            elif kind == pdfium_c.FPDF_ANNOT_FREETEXT:
                if text := _contents(annotation):
                    found.fields.append(Field(text, _box(page, annotation)))
            elif kind not in _WITHOUT_COMMENT and (text := _contents(annotation)):
                found.comments.append(text)
    return found


@contextmanager
def _annotation(page: pdfium.PdfPage, index: int) -> Iterator[Any]:
    annotation = pdfium_c.FPDFPage_GetAnnot(page, index)
    try:
        yield annotation or None
    finally:
        if annotation:
            pdfium_c.FPDFPage_CloseAnnot(annotation)


def _field(page: pdfium.PdfPage, annotation: Any) -> Iterator[Field]:
    """The field, unless it is empty."""
    form = page.formenv
    kind = pdfium_c.FPDFAnnot_GetFormFieldType(form, annotation)
    if kind in _BUTTONS:
        text = "[x]" if pdfium_c.FPDFAnnot_IsChecked(form, annotation) else "[ ]"
    elif kind in _CHOICES:
        text = ", ".join(_selected(form, annotation)) or _string(pdfium_c.FPDFAnnot_GetFormFieldValue, form, annotation)
    elif kind == pdfium_c.FPDF_FORMFIELD_TEXTFIELD and not _is_password(form, annotation):
        text = _string(pdfium_c.FPDFAnnot_GetFormFieldValue, form, annotation)
    else:
        return
    if text:
        name = _string(pdfium_c.FPDFAnnot_GetFormFieldAlternateName, form, annotation)
        name = name or _string(pdfium_c.FPDFAnnot_GetFormFieldName, form, annotation)
        yield Field(text, _box(page, annotation), name or "Field", kind in _BUTTONS)


def _selected(form: pdfium.PdfFormEnv, annotation: Any) -> Iterator[str]:
    for index in range(min(pdfium_c.FPDFAnnot_GetOptionCount(form, annotation), _MAX_OPTIONS)):
        if pdfium_c.FPDFAnnot_IsOptionSelected(form, annotation, index):
            yield _string(pdfium_c.FPDFAnnot_GetOptionLabel, form, annotation, index)


def _is_password(form: pdfium.PdfFormEnv, annotation: Any) -> bool:
    flags = pdfium_c.FPDFAnnot_GetFormFieldFlags(form, annotation)
    return bool(flags & pdfium_c.FPDF_FORMFLAG_TEXT_PASSWORD)


def _contents(annotation: Any) -> str:
    return _string(pdfium_c.FPDFAnnot_GetStringValue, annotation, b"Contents")


def _string(function: Callable[..., int], *arguments: Any) -> str:
    """The string that a function of PDFium writes into a buffer, on one line."""
    size = function(*arguments, None, 0)
    if not 2 < size <= _MAX_BYTES:
        return ""
    buffer = ctypes.create_string_buffer(size)
    function(*arguments, ctypes.cast(buffer, ctypes.POINTER(pdfium_c.FPDF_WCHAR)), size)
    return " ".join(plain_text(buffer.raw.decode("utf-16-le", "ignore")).split())


def _box(page: pdfium.PdfPage, annotation: Any) -> Box:
    rect = pdfium_c.FS_RECTF()
    pdfium_c.FPDFAnnot_GetRect(annotation, rect)
    left, right = sorted((rect.left, rect.right))
    bottom, top = sorted((rect.bottom, rect.top))
    return shown_box(page, Box(left, bottom, right, top))
