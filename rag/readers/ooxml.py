"""What DOCX, PPTX and XLSX have in common."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import NamedTuple

from rag.errors import BrokenFile, RagError
from rag.readers.safe_xml import parse_xml
from rag.readers.zip_container import open_zip

_DUBLIN_CORE = "{http://purl.org/dc/elements/1.1/}"
_DOCTYPE = re.compile(rb"<!DOCTYPE|<!ENTITY", re.IGNORECASE)
_ROOT = re.compile(rb"<[A-Za-z_]")
_PROLOG_BYTES = 4096
"""Ends with the root element's start: nobody writes as much before it, except to hide something."""


class CoreProperties(NamedTuple):
    title: str = ""
    language: str = ""


def check_package(path: Path) -> CoreProperties:
    """The document's properties, once the package is known to be harmless to the libraries that read it.

    Raises:
        BrokenFile, EncryptedFile, ParsingLimit: see `open_zip`; BrokenFile also for XML that declares entities.
    """
    with open_zip(path) as archive:
        for member in archive.infolist():
            if member.filename.lower().endswith((".xml", ".rels")):
                _refuse_doctype(archive, member)
        return _core_properties(archive)


def _refuse_doctype(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Office never writes one; entities in it could grow without bound."""
    with archive.open(member) as part:
        prolog = part.read(_PROLOG_BYTES).replace(b"\0", b"")  # UTF-16
    if _DOCTYPE.search(prolog) or (prolog and not _ROOT.search(prolog)):
        raise BrokenFile("has XML with a document type, which Office files must not have")


def _core_properties(archive: zipfile.ZipFile) -> CoreProperties:
    try:
        root = parse_xml(archive.read("docProps/core.xml"))
    except (KeyError, RagError):
        return CoreProperties()
    return CoreProperties(root.findtext(f"{_DUBLIN_CORE}title") or "", root.findtext(f"{_DUBLIN_CORE}language") or "")
