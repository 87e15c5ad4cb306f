"""EPUB e-books: the chapters in reading order, each read as HTML."""

from __future__ import annotations

import posixpath
import urllib.parse
import zipfile
from collections.abc import Iterator

from rag.errors import BrokenFile, EncryptedFile
from rag.readers.decoding import decode
from rag.readers.extract.text_builder import TextBuilder
from rag.readers.html.reader import parse_html
from rag.readers.reading_report import warning
from rag.readers.safe_xml import Element, parse_xml
from rag.readers.source import SourceFile
from rag.readers.zip_container import open_zip
from rag.types import Extract

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_CHAPTER_TYPES = ("application/xhtml+xml", "text/html", "application/xml")
_ROOTFILE = "{*}rootfiles/{*}rootfile"
_DUBLIN_CORE = "{http://purl.org/dc/elements/1.1/}"

_MAX_UNKNOWN = 20


def read(source: SourceFile) -> Extract:
    builder = TextBuilder(source)
    with open_zip(source.path) as book:
        package_path = _package_path(book)
        package = parse_xml(_member(book, package_path))
        chapters = list(_chapter_paths(package, posixpath.dirname(package_path)))
        for name in _unknown_chapters(package):
            builder.warn(warning("unlisted_chapter", name=name[:80]))
        _refuse_protected(book, chapters)
        _add_chapters(builder, book, chapters)
    title = package.findtext(f"{{*}}metadata/{_DUBLIN_CORE}title") or ""
    return builder.extract(title=title, language=package.findtext(f"{{*}}metadata/{_DUBLIN_CORE}language") or "")


def _add_chapters(builder: TextBuilder, book: zipfile.ZipFile, chapters: list[str]) -> None:
    """A missing chapter is reported. Raises BrokenFile if all are missing."""
    present = set(book.namelist())
    missing = [path for path in chapters if path not in present]
    if missing and len(missing) == len(chapters):
        _member(book, missing[0])
    for path in missing:
        builder.warn(warning("missing_chapter", name=path[:80]))
    for path in chapters:
        if path in present:
            chapter = parse_html(decode(_member(book, path), is_html=True, warn=builder.warn))
            for each in chapter.warnings:
                builder.warn(each.of_part(posixpath.basename(path)[:80]))
            builder.add_blocks(chapter.blocks)


def _package_path(book: zipfile.ZipFile) -> str:
    root = parse_xml(_member(book, _CONTAINER)).find(_ROOTFILE)
    path = root.get("full-path") if root is not None else None
    if not path:
        raise BrokenFile("is not a valid e-book: META-INF/container.xml names no package")
    return path


def _chapter_paths(package: Element, folder: str) -> Iterator[str]:
    items = {item.get("id"): item for item in package.findall("{*}manifest/{*}item")}
    paths: set[str] = set()
    for entry in package.findall("{*}spine/{*}itemref"):
        item = items.get(entry.get("idref"))
        if item is None or item.get("media-type") not in _CHAPTER_TYPES or _is_table_of_contents(item):
            continue
        path = posixpath.normpath(posixpath.join(folder, urllib.parse.unquote(item.get("href") or "")))
        if path not in paths:  # a spine may list one chapter a million times
            paths.add(path)
            yield path


def _unknown_chapters(package: Element) -> list[str]:
    """The ids in the spine that the manifest does not have, at most a few."""
    ids = {item.get("id") for item in package.findall("{*}manifest/{*}item")}
    entries = (entry.get("idref") or "" for entry in package.findall("{*}spine/{*}itemref"))
    return list(dict.fromkeys(name for name in entries if name and name not in ids))[:_MAX_UNKNOWN]


def _is_table_of_contents(item: Element) -> bool:
    return "nav" in (item.get("properties") or "").split()


def _refuse_protected(book: zipfile.ZipFile, chapters: list[str]) -> None:
    """Encrypted fonts do no harm, but encrypted chapters mean that the book is under DRM."""
    if _ENCRYPTION not in book.namelist():
        return
    references = parse_xml(_member(book, _ENCRYPTION)).iter("{*}CipherReference")
    if {urllib.parse.unquote(reference.get("URI") or "") for reference in references} & set(chapters):
        raise EncryptedFile("is copy-protected (DRM); its text cannot be read")


def _member(book: zipfile.ZipFile, path: str) -> bytes:
    try:
        return book.read(path)
    except KeyError:
        raise BrokenFile(f"is not a valid e-book: {path[:80]} is missing") from None
