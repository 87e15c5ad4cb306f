"""Detects the format of a file by its content; only for text, by its suffix. Imports no parsing library.

first bytes -> a known signature (PDF, ZIP, images, ...) -> otherwise text? -> the suffix tells the text format
               ZIP: its members tell DOCX, PPTX, XLSX and EPUB apart
"""

from __future__ import annotations

import codecs
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Final

from rag.errors import BrokenFile, EncryptedFile, NoTextFound, UnsupportedFile
from rag.readers.charset.wide import wide_encoding
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
"""The number of bytes at the beginning of a file that `sniff` should get; fewer work, too."""

_PDF_SIGNATURE = b"%PDF-"
_ZIP_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")
_OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_LEGACY_OFFICE = "a legacy Office file (.doc, .xls, .ppt); save it as .docx, .xlsx or .pptx"
_PROGRAM, _ARCHIVE, _IMAGE = "a program", "an archive; upload the files in it", "an image; only text can be read"
_AUDIO, _VIDEO = "an audio file", "a video"
_UNSUPPORTED: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"\xdb\xa5\x2d\x00", _LEGACY_OFFICE),
    (0, b"\x31\xbe\x00\x00", _LEGACY_OFFICE),
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
    (8, b"WAVE", _AUDIO),
    (0, b"ID3", _AUDIO),
    (0, b"OggS", _AUDIO),
    (0, b"fLaC", _AUDIO),
    (0, b"SQLite format 3\0", "a database"),
    (0, b"PAR1", "a Parquet file"),
)
# A text could begin with these short signatures, so they count only if the content is not text.
_UNSUPPORTED_IF_BINARY = ((0, b"MZ", "a Windows program"), (0, b"BM", _IMAGE))
_HTML_START = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?>(?:<!--.*?-->\s*)*)(?:<!doctype\s+html\b|<html[\s>]|<head[\s>]|<body[\s>])",
    re.IGNORECASE | re.DOTALL,
)
_WIDE_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_CONTROL_CHARS = bytes(code for code in range(32) if code not in b"\t\n\r\f\x08\x1b")
_MAX_CONTROL_SHARE = 0.02
"""Maximum share of control characters in text of a legacy encoding."""


def check_type(content: bytes | Path, filename: str) -> str:
    """The media type of a file, given by its first bytes (`HEAD_BYTES` are enough) or by its path.

    Bytes take far less than a millisecond, so the event loop may call this; for a path, ZIP directories are read, too.

    Raises:
        UnsupportedFile: or a subclass; the message begins with `filename` and says what the file is.
    """
    return media_type_of(content, filename) if isinstance(content, Path) else sniff(content, filename)


def media_type_of(path: Path, filename: str) -> str:
    """The media type of the file at `path`, uploaded as `filename`. Raises what `check_type` raises."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        if head.startswith(_OLE2):
            head += file.read()  # its directory, which tells whether it is encrypted, can be anywhere in the file
    return sniff(head, filename, members=_listed_members(path) if head.startswith(_ZIP_SIGNATURES) else None)


def sniff(head: bytes, filename: str, *, members: Iterable[str] | None = None) -> str:
    """The media type of a file, by its first bytes.

    Args:
        members: The members of a ZIP archive, if known; otherwise they are read from the first bytes.

    Raises:
        UnsupportedFile: as `check_type`.
    """
    if not head:
        raise NoTextFound(f"{filename} has no text: it is empty", param=filename)
    suffix = PurePosixPath(filename.replace("\\", "/")).suffix.lower()
    if _is_pdf(head, suffix):
        return PDF
    if head.startswith(_ZIP_SIGNATURES):
        return _zip_kind(head, filename, suffix, set(members) if members is not None else _local_members(head))
    if head.startswith(_OLE2):
        raise _legacy_office_error(head, filename)
    for offset, signature, kind in _UNSUPPORTED:
        if head.startswith(signature, offset):
            raise _unsupported(filename, kind)
    return _text_kind(head, filename, suffix)


def _is_pdf(head: bytes, suffix: str) -> bool:
    """The signature may be anywhere in the first 1,024 bytes, where a text about PDF could contain it as well."""
    if head.lstrip()[:5] == _PDF_SIGNATURE:
        return True
    return _PDF_SIGNATURE in head[:1024] and (suffix == ".pdf" or _is_binary(head))


def _text_kind(head: bytes, filename: str, suffix: str) -> str:
    if _is_binary(head):
        for offset, signature, kind in _UNSUPPORTED_IF_BINARY:
            if head.startswith(signature, offset):
                raise _unsupported(filename, kind)
        if suffix in BINARY_KINDS:
            raise BrokenFile(f"{filename} is damaged, or not a {suffix} file as its name says", param=filename)
        raise _unsupported(filename, "binary data of an unknown format, not text")
    if suffix == ".pdf":
        return PDF  # its beginning is damaged, which PDFium may be able to repair
    if suffix in TEXT_KINDS:
        return TEXT_KINDS[suffix]
    return HTML if _HTML_START.match(head[:4096]) else TEXT


def _is_binary(head: bytes) -> bool:
    if head.startswith(_WIDE_BOMS):
        return False
    if b"\0" in head:
        return wide_encoding(head) is None
    controls = len(head) - len(head.translate(None, _CONTROL_CHARS))
    return controls > _MAX_CONTROL_SHARE * len(head) and not _is_utf8(head)


def _is_utf8(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # accepts an incomplete character at the end
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
        return BINARY_KINDS[suffix]  # damaged, or its members are not in the first bytes: the reader will find out
    if "[Content_Types].xml" in members:
        raise _unsupported(filename, "an Office file of an unknown format; save it as .docx, .xlsx or .pptx")
    raise _unsupported(filename, "a ZIP archive; upload the files in it")


def _by_mimetype(head: bytes, filename: str) -> str:
    """EPUB and OpenDocument files declare their media type in their first member, which is uncompressed."""
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
        return None  # truncated: the local headers at its beginning can still be read


def _local_members(head: bytes) -> set[str]:
    """Names from the local headers within the first bytes of a ZIP archive."""
    names = set()
    for header in re.finditer(rb"PK\x03\x04", head):
        start = header.start() + 30
        length = int.from_bytes(head[start - 4 : start - 2], "little")
        names.add(head[start : start + length].decode("utf-8", "replace"))
    return names


def _legacy_office_error(content: bytes, filename: str) -> UnsupportedFile:
    if "EncryptedPackage".encode("utf-16-le") in content:
        return EncryptedFile(f"{filename} is password-protected; save it without a password", param=filename)
    return _unsupported(filename, _LEGACY_OFFICE)


def _unsupported(filename: str, kind: str) -> UnsupportedFile:
    supported = ", ".join(SUPPORTED_SUFFIXES)
    return UnsupportedFile(f"{filename} cannot be read: it is {kind}. Supported are {supported}", param=filename)
