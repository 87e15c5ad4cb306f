"""Checks that DOCX, PPTX and XLSX packages have in common, and their core properties."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import NamedTuple

from rag.errors import BrokenFile, RagError
from rag.readers.extract.heading_path import given_title
from rag.readers.safe_xml import parse_xml
from rag.readers.zip_container import open_zip

_DUBLIN_CORE = "{http://purl.org/dc/elements/1.1/}"
_DOCTYPE = re.compile(rb"<!DOCTYPE|<!ENTITY", re.IGNORECASE)
_ROOT = re.compile(rb"<[A-Za-z_]")
_PROLOG_BYTES = 4096
"""The root element starts within these bytes, unless the file tries to hide a document type."""


class CoreProperties(NamedTuple):
    """Metadata of an Office document."""

    title: str = ""
    language: str = ""


def check_package(path: Path) -> CoreProperties:
    """Check that the package is safe for the libraries that read it; returns the document's properties.

    Raises:
        BrokenFile, EncryptedFile, ParsingLimit: see `open_zip`; BrokenFile also for XML with a document type.
    """
    with open_zip(path) as archive:
        for member in archive.infolist():
            if member.filename.lower().endswith((".xml", ".rels")):
                _refuse_doctype(archive, member)
        return _core_properties(archive)


def _refuse_doctype(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Office never writes one, and entities declared in it can expand without limit."""
    with archive.open(member) as part:
        prolog = part.read(_PROLOG_BYTES).replace(b"\0", b"")  # UTF-16
    if _DOCTYPE.search(prolog) or (prolog and not _ROOT.search(prolog)):
        raise BrokenFile("has XML with a document type, which Office files must not have")


def _core_properties(archive: zipfile.ZipFile) -> CoreProperties:
    try:
        root = parse_xml(archive.read("docProps/core.xml"))
    except (KeyError, RagError):
        return CoreProperties()
    title = given_title(root.findtext(f"{_DUBLIN_CORE}title") or "")
    return CoreProperties(title, root.findtext(f"{_DUBLIN_CORE}language") or "")
