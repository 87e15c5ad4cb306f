"""Uploaded bytes, read into a Document.

bytes -> text (decoded, newlines as \\n) -> Markdown or plain text -> headings -> Document
"""

from __future__ import annotations

import codecs
import hashlib
import re
import unicodedata
from itertools import pairwise
from pathlib import PurePosixPath

from bs4 import BeautifulSoup, Tag
from bs4.dammit import EncodingDetector
from charset_normalizer import from_bytes
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markdownify import ATX, MarkdownConverter

from rag.errors import InvalidRequest, UnsupportedFile
from rag.ingest.formats import HTML_SUFFIXES, MARKDOWN_SUFFIXES, SUPPORTED_SUFFIXES, TEXT_SUFFIXES
from rag.types import Attributes, Document, Heading

MAX_FILENAME_CHARS = 512
MAX_TITLE_CHARS = 200
"""Of one heading; a longer one is cut, so that a path of six always fits in its field."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Encodings that are still met in files; guessing among all of Python's finds exotic ones in short texts.
_LEGACY_ENCODINGS = [
    *("cp1252", "latin_1", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "koi8_r"),
    *("cp932", "euc_jp", "gb18030", "big5", "cp949"),
]
# A first line of dashes opens front matter only when a `key:` follows; else it is a horizontal rule.
_FRONT_MATTER = re.compile(
    r"---[ \t]*\n"
    r"(?:(?:#[^\n]*\n|[ \t]*\n)*[^\s:#-][^\n:]*:(?:[ \t][^\n]*)?\n(?:[^\n]*\n)*?)?"
    r"(?:---|\.\.\.)[ \t]*(?:\n|\Z)"
)
_ANCHOR = re.compile(r"\s*\{#[^{}]*\}\s*$")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<!--.*?-->")
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_UNSEEN_TAGS = ("script", "style", "template", "noscript", "svg", "iframe", "object", "title")
_BLOCKS = MarkdownIt("commonmark").disable("inline")
_INLINE = MarkdownIt("commonmark")
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")


def read_document(vector_store: str, filename: str, content: bytes, attributes: Attributes) -> Document:
    """The text and headings of an uploaded file. Takes seconds for many MiB: call it in a thread.

    Front matter is not part of the text; HTML becomes Markdown. Offsets refer to the resulting text.

    Raises:
        InvalidRequest: the name cannot be that of a document.
        UnsupportedFile: of another format, binary, or without text; names the file.
    """
    name = normalize_filename(filename)
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in SUPPORTED_SUFFIXES:
        supported = ", ".join(SUPPORTED_SUFFIXES)
        raise UnsupportedFile(f"{name}: files of this type cannot be read; supported are {supported}", param=name)
    is_html = suffix in HTML_SUFFIXES
    text = _decode(content, name, is_html=is_html)
    if is_html:
        text = _html_to_markdown(text, name)
    is_markdown = suffix not in TEXT_SUFFIXES
    if suffix in MARKDOWN_SUFFIXES:
        text = _without_front_matter(text)
    if not any(char.isprintable() and not char.isspace() for char in text):
        raise UnsupportedFile(f"{name} has no text", param=name)
    return Document(
        file_id=file_id(vector_store, name),
        filename=name,
        text=text,
        content_hash=hashlib.sha256(content).hexdigest(),
        is_markdown=is_markdown,
        headings=_headings(text) if is_markdown else (),
        attributes=attributes,
    )


def file_id(vector_store: str, filename: str) -> str:
    """The stable id of a document: the same name in the same vector store is the same document."""
    return "file-" + hashlib.sha256(f"{vector_store}\0{filename}".encode()).hexdigest()[:24]


def normalize_filename(filename: str) -> str:
    """The name with forward slashes, in Unicode's NFC, without `.` and empty folders.

    Raises:
        InvalidRequest: empty, absolute, climbing with `..`, too long, or with control characters.
    """
    name = unicodedata.normalize("NFC", filename).replace("\\", "/")
    if name.startswith("/"):
        raise _bad_filename(name, "is absolute; leave out the leading slash")
    if any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in name):
        raise _bad_filename(name, "has control characters")
    folders = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in folders:
        raise _bad_filename(name, "leads out of its folder with '..'")
    name = "/".join(folders)
    if not name:
        raise _bad_filename(filename, "is empty")
    if len(name) > MAX_FILENAME_CHARS:
        raise _bad_filename(name, f"has more than {MAX_FILENAME_CHARS} characters")
    return name


def _bad_filename(name: str, problem: str) -> InvalidRequest:
    return InvalidRequest(f"the file name {name[:80]!a} {problem}", param="files")


def _decode(content: bytes, name: str, *, is_html: bool) -> str:
    text = _decode_unicode(content)
    if text is None:
        text = _decode_declared(content) if is_html else None
    if text is None and b"\0" not in content:
        guess = from_bytes(content, cp_isolation=_LEGACY_ENCODINGS).best()
        text = None if guess is None else str(guess)
    if text is None or "\0" in text:
        raise UnsupportedFile(f"{name} is not text, or in an encoding that is not known; save it as UTF-8", param=name)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decode_unicode(content: bytes) -> str | None:
    encoding = next((encoding for bom, encoding in _BOMS if content.startswith(bom)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return None


def _decode_declared(content: bytes) -> str | None:
    """HTML in the encoding that its own head declares."""
    encoding = EncodingDetector.find_declared_encoding(content, is_html=True)
    try:
        return content.decode(encoding) if encoding else None
    except (LookupError, ValueError):
        return None


def _html_to_markdown(html: str, name: str) -> str:
    soup = BeautifulSoup(html, "lxml")
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    for element in [found for found in soup.find_all(True) if _is_unseen(found)]:
        element.decompose()
    for cell in soup.find_all(["td", "th"]):
        # The converter repeats a cell's border this many times: 1,000 a cell makes gigabytes of a small file.
        del cell["colspan"]
    converter = MarkdownConverter(
        heading_style=ATX, strip=["a", "img"], escape_asterisks=False, escape_underscores=False
    )
    try:
        text = converter.convert_soup(soup)
    except RecursionError:
        raise UnsupportedFile(f"{name} has elements nested too deeply", param=name) from None
    if title and soup.h1 is None:
        text = f"# {title}\n\n{text}"
    return _BLANK_LINES.sub("\n\n", text).strip()


def _is_unseen(element: Tag) -> bool:
    if element.name in _UNSEEN_TAGS or element.has_attr("hidden"):
        return True
    return bool(_HIDDEN_STYLE.search(str(element.get("style", ""))))


def _without_front_matter(text: str) -> str:
    match = _FRONT_MATTER.match(text)
    return text[match.end() :].lstrip("\n") if match else text


def _headings(text: str) -> tuple[Heading, ...]:
    # Inline markup is parsed for headings alone: of a whole document it can take quadratic time.
    tokens = _BLOCKS.parse(text)
    line_starts = _line_starts(text)
    headings: list[Heading] = []
    open_titles: list[tuple[int, str]] = []
    for opening, inline in pairwise(tokens):
        if opening.type != "heading_open" or opening.map is None:
            continue
        level = int(opening.tag[1:])
        title = _plain_title(inline)
        if not title:
            continue
        open_titles = [(outer, outer_title) for outer, outer_title in open_titles if outer < level] + [(level, title)]
        path = " > ".join(outer_title for _, outer_title in open_titles)
        headings.append(Heading(start=line_starts[opening.map[0]], path=path))
    return tuple(headings)


def _line_starts(text: str) -> list[int]:
    return [0, *(match.end() for match in re.finditer("\n", text))]


def _plain_title(inline: Token) -> str:
    """A heading's words: without markup, tags, and the `{#anchor}` some sites put behind them."""
    source = _TAG.sub("", inline.content[: 5 * MAX_TITLE_CHARS])
    source = _ANCHOR.sub("", source)
    (parsed,) = _INLINE.parseInline(source)
    words = "".join(_words(token) for token in parsed.children or [])
    return " ".join(words.split())[:MAX_TITLE_CHARS].rstrip()


def _words(token: Token) -> str:
    if token.type in ("softbreak", "hardbreak"):
        return " "
    return token.content if token.type in ("text", "code_inline", "image") else ""
