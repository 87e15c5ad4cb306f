"""Decodes text files of any common encoding; line ends become \\n."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator

from rag.errors import UnsupportedFile
from rag.readers.charset.detection import detect
from rag.readers.charset.labels import codec_of
from rag.readers.charset.wide import wide_encoding
from rag.readers.reading_report import warning
from rag.types import ReadingWarning

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, because its BOM begins with that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED = re.compile(
    rb"""<(?:meta|\?xml)\b[^>]{0,400}?\b(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9._:-]+)""", re.IGNORECASE
)
_ISO_2022_JP = re.compile(rb"\x1b\$[@B](?:[\x21-\x7e]{2})+\x1b\([BJ]")
"""Kanji between the escape sequences of this encoding, which consists of ASCII characters otherwise."""
_UTF8_CHARS = re.compile(rb"[\xc2-\xf4][\x80-\xbf]{1,3}")
_NOT_TEXT = "is not text, or its encoding is unknown; save it as UTF-8"
_MAX_BAD_SHARE = 0.25
"""A share of the characters; with more invalid ones, the content is not text."""

Warn = Callable[[ReadingWarning], object]


def decode(content: bytes, *, is_html: bool = False, charset: str = "", warn: Warn = lambda _: None) -> str:
    """Decode text by the first that applies: byte order mark, `charset`, UTF-8, the HTML's declaration, detection.

    UTF-8 with a few invalid bytes is still UTF-8.

    Args:
        charset: A label from outside, such as a Content-Type header; ignored if it is unknown or wrong.
        warn: Called if bytes are replaced or `charset` is ignored.

    Raises:
        UnsupportedFile: the content is not text.
    """
    if not charset and _ISO_2022_JP.search(content) and b"\x1b[" not in content:
        charset = "iso-2022-jp"
    if charset:
        for encoding in _hinted(content, charset):
            if (text := _decoded(content, encoding)) is not None:
                return _lines(text)
        warn(warning("wrong_encoding", name=charset[:40]))
    for encoding in _candidates(content, is_html=is_html):
        text = _decoded(content, encoding)
        if text is not None:
            return _lines(text)
    return _lines(_repaired(content, warn))


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _bom_encoding(content: bytes) -> str | None:
    return next((encoding for bom, encoding in _BOMS if content.startswith(bom)), None)


def _hinted(content: bytes, charset: str) -> Iterator[str | None]:
    yield _bom_encoding(content)
    if charset.lower() in ("ascii", "us-ascii"):
        yield "utf-8"  # bytes beyond ASCII contradict this label, which many programs send for any text
    yield codec_of(charset)


def _candidates(content: bytes, *, is_html: bool) -> Iterator[str | None]:
    """Encodings to try, if the content is valid in them."""
    yield _bom_encoding(content)
    yield "utf-8"
    yield wide_encoding(content)
    if is_html and (declared := _DECLARED.search(content[:4096])):
        yield codec_of(declared[1].decode("ascii"))


def _decoded(content: bytes, encoding: str | None) -> str | None:
    """The text; None if the content is not valid in the encoding."""
    if encoding is None:
        return None
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _repaired(content: bytes, warn: Warn) -> str:
    """The text in the likeliest encoding, with what is invalid in it replaced."""
    encoding = _bom_encoding(content) or ("utf-8" if _is_nearly_utf8(content) else None)
    if encoding is None:
        encoding = None if b"\0" in content else detect(content) or _exotic_encoding(content)
    if encoding is None:
        raise UnsupportedFile(_NOT_TEXT)
    text = content.decode(encoding, "replace")
    bad = text.count("\ufffd")
    if "\0" in text or bad > _MAX_BAD_SHARE * len(text):
        raise UnsupportedFile(_NOT_TEXT)
    if bad:
        name = encoding.upper().removesuffix("-SIG")
        warn(warning("replaced_bytes", count=bad, name=name))
    return text


def _is_nearly_utf8(content: bytes) -> bool:
    """Whether most characters beyond ASCII are valid UTF-8; in other encodings hardly any are."""
    valid = sum(1 for _ in _UTF8_CHARS.finditer(content))
    return valid > 0 and content.decode("utf-8", "replace").count("\ufffd") <= valid


def _exotic_encoding(content: bytes) -> str | None:
    from charset_normalizer import from_bytes

    guess = from_bytes(content).best()
    return None if guess is None else guess.encoding
