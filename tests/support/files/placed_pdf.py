"""PDF files with text at given places, form fields and comments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tests.support.files.sample_files import pdf_file

_METRICS = "/Flags 6 /FontBBox [0 -120 1000 880] /ItalicAngle 0 /Ascent 880 /Descent -120 /CapHeight 880 /StemV 93"
_FONTS = (
    "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    "<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /UniGB-UCS2-H /DescendantFonts [<< /Type /Font "
    "/Subtype /CIDFontType0 /BaseFont /STSong-Light /DW 1000 "
    f"/FontDescriptor << /Type /FontDescriptor /FontName /STSong-Light {_METRICS} >> "
    "/CIDSystemInfo << /Registry (Adobe) /Ordering (GB1) /Supplement 2 >> >>] >>",
    "<< /Type /Font /Subtype /Type0 /BaseFont /HYSMyeongJo-Medium /Encoding /UniKS-UCS2-H /DescendantFonts [<< "
    "/Type /Font /Subtype /CIDFontType0 /BaseFont /HYSMyeongJo-Medium /DW 1000 "
    f"/FontDescriptor << /Type /FontDescriptor /FontName /HYSMyeongJo-Medium {_METRICS} >> "
    "/CIDSystemInfo << /Registry (Adobe) /Ordering (Korea1) /Supplement 1 >> >>] >>",
)
_TURNED = {0: "", 90: "0 1 -1 0 612 0 cm ", 180: "-1 0 0 -1 612 792 cm ", 270: "0 -1 1 0 0 792 cm "}
_IMAGE = "<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8 /Length 1 >>"


class Placed(NamedTuple):
    """Text whose baseline starts at x, y: from the left and bottom of a page of 612 by 792 points."""

    x: float
    y: float
    text: str
    size: float = 10.0


def placed_lines(
    x: float, y: float, lines: Sequence[str], *, leading: float = 12.0, size: float = 10.0
) -> list[Placed]:
    """Lines below each other, from y downwards."""
    return [Placed(x, y - leading * number, line, size) for number, line in enumerate(lines)]


def side_by_side(*columns: Sequence[Placed]) -> list[Placed]:
    """The lines of columns in the order in which they are hardest to read: row by row."""
    rows = max(len(column) for column in columns)
    return [column[row] for row in range(rows) for column in columns if row < len(column)]


def placed_pdf(
    pages: Sequence[Sequence[Placed]],
    *,
    annotations: Sequence[str] = (),
    form: str = "",
    catalog: str = "",
    images: Sequence[tuple[int, str]] = (),
    rotation: int = 0,
) -> bytes:
    """A PDF.

    Args:
        annotations: Dictionaries of widgets and comments on the first page, without /Type.
        form: Entries of the form's dictionary; the widgets are its fields.
        rotation: How the pages are turned when they are shown; the text is turned back.
        images: Pages by their index, and what draws a picture (/Im1) on them.
    """
    first_page = 4 + len(_FONTS)
    kids = [first_page + 2 * index for index in range(len(pages))]
    first_annotation = first_page + 2 * len(pages)
    references = " ".join(f"{first_annotation + index} 0 R" for index in range(len(annotations)))
    fonts = " ".join(f"/F{number + 1} {number + 4} 0 R" for number in range(len(_FONTS)))
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [{references}] {form} >> {catalog} >>",
        f"<< /Type /Pages /Kids [{' '.join(f'{kid} 0 R' for kid in kids)}] /Count {len(pages)} >>",
        f"{_IMAGE}\nstream\n0\nendstream",
        *_FONTS,
    ]
    for index, (kid, page) in enumerate(zip(kids, pages, strict=True)):
        drawn = "".join(drawing for number, drawing in images if number == index)
        content = drawn + _TURNED[rotation] + "".join(map(_drawn, page))
        annots = f"/Annots [{references}]" if index == 0 else ""
        objects += [
            f"<< /Type /Page /Rotate {rotation} /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {kid + 1} 0 R {annots} "
            f"/Resources << /Font << {fonts} >> /XObject << /Im1 3 0 R >> >> >>",
            f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        ]
    objects += [f"<< /Type /Annot {annotation} >>" for annotation in annotations]
    return pdf_file([*objects, "<< >>"])


def _drawn(placed: Placed) -> str:
    font, text = 1, f"({placed.text.replace('(', chr(92) + '(').replace(')', chr(92) + ')')})"
    if not placed.text.isascii():
        font = 3 if any("\uac00" <= character <= "\ud7a3" for character in placed.text) else 2
        text = f"<{placed.text.encode('utf-16-be').hex()}>"
    return f"BT /F{font} {placed.size} Tf {placed.x} {placed.y} Td {text} Tj ET\n"
