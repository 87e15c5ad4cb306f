"""What a file is, by its content; by its name only where the content is text. Imports no parsing library.

first bytes -> a known mark (PDF, ZIP, pictures, ...) -> else text? -> the name says which kind of text
               ZIP: its members say whether it is DOCX, PPTX, XLSX or EPUB
"""

from __future__ import annotations

import codecs
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Final

from rag.errors import BrokenFile, EncryptedFile, NoTextFound, UnsupportedFile
from rag.readers.formats import (
    BINARY_KINDS,
    DOCX,
    EPUB,
    HTML,
    PDF,
    PPTX,
    SUPPORTED_SUFFIXES,
    TEXT,
    TEXT_KINDS,
    XLSX,
)

__all__ = ["HEAD_BYTES", "SUPPORTED_SUFFIXES", "check_type", "media_type_of", "sniff"]

HEAD_BYTES: Final = 64 * 1024
"""As much of a file's beginning as `sniff` wants to see; it can do with less."""

_PDF_MARK = b"%PDF-"
_ZIP_MARKS = (b"PK\x03\x04", b"PK\x05\x06")
_OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SAVE_NEW = "an old Office file (.doc, .xls, .ppt); save it as .docx, .xlsx or .pptx"
_PROGRAM, _ARCHIVE, _IMAGE = "a program", "an archive; upload the files in it", "an image; only text can be read"
_SOUND, _VIDEO = "a sound recording", "a video"
_FOREIGN: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"\xdb\xa5\x2d\x00", _SAVE_NEW),
    (0, b"\x31\xbe\x00\x00", _SAVE_NEW),
    (0, b"{\\rtf", "an RTF file; save it as .docx"),
    (0, b"%!PS", "a PostScript file; save it as PDF"),
    (0, b"\x7fELF", _PROGRAM),
    (0, b"\xca\xfe\xba\xbe", _PROGRAM),
    (0, b"\xcf\xfa\xed\xfe", _PROGRAM),
    (0, b"\0asm", _PROGRAM),
    (0, b"\x89PNG", _IMAGE),
    (0, b"\xff\xd8\xff", _IMAGE),
    (0, b"GIF87a", _IMAGE),
    (0, b"GIF89a", _IMAGE),
    (0, b"II*\0", _IMAGE),
    (0, b"MM\0*", _IMAGE),
    (8, b"WEBP", _IMAGE),
    (4, b"ftypavif", _IMAGE),
    (4, b"ftypheic", _IMAGE),
    (0, b"\x1f\x8b", _ARCHIVE),
    (0, b"BZh", _ARCHIVE),
    (0, b"\xfd7zXZ\0", _ARCHIVE),
    (0, b"7z\xbc\xaf\x27\x1c", _ARCHIVE),
    (0, b"Rar!\x1a\x07", _ARCHIVE),
    (0, b"\x28\xb5\x2f\xfd", _ARCHIVE),
    (257, b"ustar", _ARCHIVE),
    (4, b"ftyp", _VIDEO),
    (0, b"\x1a\x45\xdf\xa3", _VIDEO),
    (8, b"AVI ", _VIDEO),
    (8, b"WAVE", _SOUND),
    (0, b"ID3", _SOUND),
    (0, b"OggS", _SOUND),
    (0, b"fLaC", _SOUND),
    (0, b"SQLite format 3\0", "a database"),
    (0, b"PAR1", "a Parquet file"),
)
# These marks are short, or such as a text may begin with: they count only where the content is not text.
_FOREIGN_IF_BINARY = ((0, b"MZ", "a Windows program"), (0, b"BM", _IMAGE))
_HTML_START = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?>(?:<!--.*?-->\s*)*)(?:<!doctype\s+html\b|<html[\s>]|<head[\s>]|<body[\s>])",
    re.IGNORECASE | re.DOTALL,
)
_WIDE_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\r\f\x08\x1b")
_MAX_CONTROLS = 0.02
"""Part of the bytes that may be control characters in a text of an old encoding."""


def check_type(content: bytes | Path, filename: str) -> str:
    """The media type of a file, given by its first bytes (`HEAD_BYTES` are enough), or by its path.

    Bytes take well below a millisecond, which the event loop can spare; of a path the ends of archives are read, too.

    Raises:
        UnsupportedFile: or a child; the message begins with `filename` and says what the file is.
    """
    return media_type_of(content, filename) if isinstance(content, Path) else sniff(content, filename)


def media_type_of(path: Path, filename: str) -> str:
    """The media type of the file at `path`, uploaded as `filename`. Raises as `check_type`."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        if head.startswith(_OLE2):
            head += file.read()  # its directory, which says whether it is encrypted, may be anywhere
    return sniff(head, filename, members=_listed_members(path) if head.startswith(_ZIP_MARKS) else None)


def sniff(head: bytes, filename: str, *, members: Iterable[str] | None = None) -> str:
    """As `check_type`; `members` are those of a ZIP archive, where they are known."""
    if not head:
        raise NoTextFound(f"{filename} has no text: it is empty", param=filename)
    suffix = PurePosixPath(filename.replace("\\", "/")).suffix.lower()
    if _is_pdf(head, suffix):
        return PDF
    if head.startswith(_ZIP_MARKS):
        return _zip_kind(head, filename, suffix, set(members) if members is not None else _local_members(head))
    if head.startswith(_OLE2):
        raise _old_office(head, filename)
    for offset, mark, kind in _FOREIGN:
        if head.startswith(mark, offset):
            raise _unsupported(filename, kind)
    return _text_kind(head, filename, suffix)


def _is_pdf(head: bytes, suffix: str) -> bool:
    """Its mark may stand within the first 1,024 bytes; but a text about PDF may have it there as well."""
    if head.lstrip()[:5] == _PDF_MARK:
        return True
    return _PDF_MARK in head[:1024] and (suffix == ".pdf" or _is_binary(head))


def _text_kind(head: bytes, filename: str, suffix: str) -> str:
    if _is_binary(head):
        for offset, mark, kind in _FOREIGN_IF_BINARY:
            if head.startswith(mark, offset):
                raise _unsupported(filename, kind)
        if suffix in BINARY_KINDS:
            raise BrokenFile(f"{filename} is not the {suffix} file that its name says, or is damaged", param=filename)
        raise _unsupported(filename, "binary data of an unknown kind, not text")
    if suffix == ".pdf":
        return PDF  # damaged in its first bytes: PDFium may be able to repair it
    if suffix in TEXT_KINDS:
        return TEXT_KINDS[suffix]
    return HTML if _HTML_START.match(head[:4096]) else TEXT


def _is_binary(head: bytes) -> bool:
    if head.startswith(_WIDE_BOMS):
        return False
    if b"\0" in head:
        return True
    controls = len(head) - len(head.translate(None, _CONTROLS))
    return controls > _MAX_CONTROLS * len(head) and not _is_utf8(head)


def _is_utf8(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # which does not mind a character cut in two at the end
    except UnicodeDecodeError:
        return False
    return True


def _zip_kind(head: bytes, filename: str, suffix: str, members: set[str]) -> str:
    if kind := _by_mimetype(head, filename):
        return kind
    if "xl/workbook.bin" in members:
        raise _unsupported(filename, "a binary Excel file (.xlsb); save it as .xlsx")
    for folder, kind in (("word/", DOCX), ("ppt/", PPTX), ("xl/", XLSX)):
        if any(name.startswith(folder) for name in members):
            return kind
    if "META-INF/container.xml" in members:
        return EPUB
    if suffix in BINARY_KINDS and suffix != ".pdf":
        return BINARY_KINDS[suffix]  # damaged, or what tells is further back: its reader will see
    if "[Content_Types].xml" in members:
        raise _unsupported(filename, "an Office file of a kind that is not known; save it as .docx, .xlsx or .pptx")
    raise _unsupported(filename, "a ZIP archive; upload the files in it")


def _by_mimetype(head: bytes, filename: str) -> str:
    """EPUB and OpenDocument say what they are in their first member, which is not compressed."""
    start = head[30:120]
    if start.startswith(b"mimetypeapplication/epub+zip"):
        return EPUB
    if start.startswith(b"mimetypeapplication/vnd.oasis.opendocument"):
        raise _unsupported(filename, "an OpenDocument file; save it as .docx, .xlsx or .pptx, or as PDF")
    return ""


def _listed_members(path: Path) -> list[str] | None:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return None  # cut short: the local headers at its beginning still tell


def _local_members(head: bytes) -> set[str]:
    """Names in those local headers of a ZIP archive that are in its first bytes."""
    names = set()
    for found in re.finditer(rb"PK\x03\x04", head):
        start = found.start() + 30
        length = int.from_bytes(head[start - 4 : start - 2], "little")
        names.add(head[start : start + length].decode("utf-8", "replace"))
    return names


def _old_office(content: bytes, filename: str) -> UnsupportedFile:
    if "EncryptedPackage".encode("utf-16-le") in content:
        return EncryptedFile(f"{filename} is protected by a password; save it without one", param=filename)
    return _unsupported(filename, _SAVE_NEW)


def _unsupported(filename: str, kind: str) -> UnsupportedFile:
    supported = ", ".join(SUPPORTED_SUFFIXES)
    return UnsupportedFile(f"{filename} cannot be read: it is {kind}. Supported are {supported}", param=filename)
