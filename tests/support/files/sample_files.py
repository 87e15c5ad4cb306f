"""Builds small files of many formats from readable source, so that tests show what a reader must handle."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from rag.readers import ReadOptions, read
from rag.types import Extract

HOSTILE = Path(__file__).parents[4] / "shared" / "data" / "hostile"

_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_SLIDE_NAMES = (
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    f'xmlns:r="{_OFFICE}"'
)
_CONTENT_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/></Types>'
)
_CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)
LOCKED = f"/Encrypt << /Filter /Standard /V 1 /R 2 /O <{'41' * 32}> /U <{'42' * 32}> /P -4 >> /ID [<41> <41>]"
"""A PDF trailer that requires an unknown password."""


def read_content(folder: Path, content: str | bytes, filename: str, options: ReadOptions | None = None) -> Extract:
    """Read content as an uploaded file; on disk its name differs from `filename`, as for a real upload."""
    path = folder / "upload"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read(path, filename, options)


def zip_file(members: Mapping[str, str | bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            method = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            archive.writestr(name, content, compress_type=method)
    return target.getvalue()


def docx(body: str, *, title: str = "", language: str = "", more: Mapping[str, str] | None = None) -> bytes:
    """`body`: paragraphs and tables in Word's XML, prefix `w`."""
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="Heading{level}"><w:name w:val="heading {level}"/></w:style>'
        for level in (1, 2, 3)
    )
    return zip_file(
        {
            "[Content_Types].xml": _CONTENT_TYPES,
            "_rels/.rels": f'<Relationships xmlns="{_RELATIONS}"><Relationship Id="r1" Type="{_OFFICE}/officeDocument" '
            f'Target="word/document.xml"/></Relationships>',
            "word/_rels/document.xml.rels": f'<Relationships xmlns="{_RELATIONS}"><Relationship Id="r1" '
            f'Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>',
            "word/styles.xml": f'<w:styles xmlns:w="{_WORD}">{styles}</w:styles>',
            "word/document.xml": f'<w:document xmlns:w="{_WORD}"><w:body>{body}</w:body></w:document>',
            "docProps/core.xml": '<p:coreProperties xmlns:p="http://schemas.openxmlformats.org/package/2006/metadata/'
            'core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/">'
            f"<dc:title>{title}</dc:title><dc:language>{language}</dc:language></p:coreProperties>",
            **(more or {}),
        }
    )


def word_paragraph(text: str, style: str = "") -> str:
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{properties}<w:r><w:t>{text}</w:t></w:r></w:p>"


def word_table(rows: Sequence[Sequence[str]]) -> str:
    """Cells are given as Word's XML."""
    cells = ("".join(f"<w:tc>{cell}</w:tc>" for cell in row) for row in rows)
    return "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in cells) + "</w:tbl>"


def pptx(
    *slides: str,
    relations: Mapping[int, Mapping[str, tuple[str, str]]] | None = None,
    more: Mapping[str, str | bytes] | None = None,
    attributes: Mapping[int, str] | None = None,
) -> bytes:
    """Each slide's shapes in PowerPoint's XML, prefixes `p`, `a` and `r`.

    Args:
        relations: By slide: the kind and target of its relations by their id. Slide 0 is the presentation itself.
        attributes: By slide: the attributes of its root element.
    """
    numbers = range(1, len(slides) + 1)
    ids = "".join(f'<p:sldId id="{255 + number}" r:id="s{number}"/>' for number in numbers)
    names = {f"s{number}": ("slide", f"slides/slide{number}.xml") for number in numbers}
    known = dict(relations or {})
    files: dict[str, str | bytes] = {
        "[Content_Types].xml": _CONTENT_TYPES,
        "_rels/.rels": _relations_part({"r1": ("officeDocument", "ppt/presentation.xml")}),
        "ppt/presentation.xml": f"<p:presentation {_SLIDE_NAMES}><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": _relations_part({**names, **known.pop(0, {})}),
    }
    for number, shapes in enumerate(slides, 1):
        files[f"ppt/slides/slide{number}.xml"] = slide_part(shapes, attributes=(attributes or {}).get(number, ""))
    for number, related in known.items():
        files[f"ppt/slides/_rels/slide{number}.xml.rels"] = _relations_part(related)
    return zip_file({**files, **(more or {})})


def slide_part(shapes: str, *, root: str = "sld", attributes: str = "") -> str:
    return (
        f"<p:{root} {_SLIDE_NAMES} {attributes}><p:cSld><p:spTree><p:nvGrpSpPr/><p:grpSpPr/>{shapes}</p:spTree>"
        f"</p:cSld></p:{root}>"
    )


def slide_shape(text: str, box: tuple[float, float, float, float] | None = None, *, placeholder: str = "") -> str:
    """A shape. `text`: its paragraphs in XML, or plain text. `box`: left, top, width and height in inches."""
    paragraphs = text if text.startswith("<a:p") else f"<a:p><a:r><a:t>{text}</a:t></a:r></a:p>"
    kind = f"<p:ph {placeholder}/>" if placeholder else ""
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="1" name="x"/><p:cNvSpPr/><p:nvPr>{kind}</p:nvPr></p:nvSpPr>'
        f"<p:spPr>{slide_box(box, 'a:xfrm') if box else ''}</p:spPr><p:txBody>{paragraphs}</p:txBody></p:sp>"
    )


def slide_box(box: tuple[float, float, float, float], tag: str, children: str = "") -> str:
    left, top, width, height = (round(914_400 * inches) for inches in box)
    return f'<{tag}><a:off x="{left}" y="{top}"/><a:ext cx="{width}" cy="{height}"/>{children}</{tag}>'


def slide_frame(content: str, uri: str, box: tuple[float, float, float, float] = (1, 1, 1, 1)) -> str:
    """A frame around a table, chart or other object."""
    return (
        '<p:graphicFrame><p:nvGraphicFramePr><p:cNvPr id="1" name="x"/><p:nvPr/></p:nvGraphicFramePr>'
        f'{slide_box(box, "p:xfrm")}<a:graphic><a:graphicData uri="{uri}">{content}</a:graphicData></a:graphic>'
        "</p:graphicFrame>"
    )


def _relations_part(relations: Mapping[str, tuple[str, str]]) -> str:
    entries = "".join(
        f'<Relationship Id="{name}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for name, (kind, target) in relations.items()
    )
    return f'<Relationships xmlns="{_RELATIONS}">{entries}</Relationships>'


def epub(chapters: Mapping[str, str], *, title: str = "Book", more: Mapping[str, str] | None = None) -> bytes:
    items = "".join(f'<item id="{n}" href="{n}" media-type="application/xhtml+xml"/>' for n in chapters)
    spine = "".join(f'<itemref idref="{name}"/>' for name in chapters)
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<dc:title>{title}</dc:title><dc:language>de-AT</dc:language></metadata>"
        f'<manifest>{items}<item id="nav" href="nav" media-type="application/xhtml+xml" properties="nav"/></manifest>'
        f'<spine><itemref idref="nav"/>{spine}</spine></package>'
    )
    files = {f"OPS/{name}": f"<?xml version='1.0'?><html>{body}</html>" for name, body in chapters.items()}
    fixed = {"mimetype": "application/epub+zip", "META-INF/container.xml": _CONTAINER, "OPS/book.opf": package}
    return zip_file({**fixed, "OPS/nav": "<html>CONTENTS</html>", **files, **(more or {})})


def pdf(
    pages: Sequence[str],
    *,
    title: str = "",
    language: str = "",
    trailer: str = "",
    outline: Sequence[tuple[str, int]] = (),
) -> bytes:
    """Each page's lines in Helvetica, from the top. `outline`: titles and the indexes of their pages."""
    kids = " ".join(f"{4 + 2 * index} 0 R" for index in range(len(pages)))
    first = 5 + 2 * len(pages)
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R /Lang ({language}) /Outlines {first - 1} 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for index, page in enumerate(pages):
        lines = "".join(f"({line}) Tj 0 -14 Td " for line in page.split("\n") if line)
        content = f"BT /F1 12 Tf 72 720 Td {lines}ET"
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * index} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>",
            f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        ]
    last = first + len(outline) - 1
    objects.append(f"<< /First {first} 0 R /Last {last} 0 R >>" if outline else "<< >>")
    for number, (name, page_index) in enumerate(outline, first):
        following = f"/Next {number + 1} 0 R" if number < last else ""
        place = f"/Parent {first - 1} 0 R /Dest [{4 + 2 * page_index} 0 R /Fit]"
        objects.append(f"<< /Title ({name}) {place} {following} >>")
    objects.append(f"<< /Title ({title}) >>")
    return pdf_file(objects, trailer)


def pdf_file(objects: Sequence[str], trailer: str = "") -> bytes:
    """A PDF of these objects, numbered from 1: the first is the catalog, the last holds the metadata."""
    parts, offsets, length = ["%PDF-1.4\n"], [], len("%PDF-1.4\n")
    for number, body in enumerate(objects, 1):
        offsets.append(length)
        parts.append(f"{number} 0 obj\n{body}\nendobj\n")
        length += len(parts[-1])
    entries = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    parts.append(f"xref\n0 {size}\n0000000000 65535 f \n{entries}")
    parts.append(f"trailer\n<< /Size {size} /Root 1 0 R /Info {size - 1} 0 R {trailer} >>\n")
    parts.append(f"startxref\n{length}\n%%EOF\n")
    return "".join(parts).encode("latin-1")
