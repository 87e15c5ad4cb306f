"""Decodes text files of any common encoding; line ends become \\n."""

from __future__ import annotations

import codecs
import re

from rag.errors import UnsupportedFile

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, because its BOM begins with that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# The legacy encodings that are still in use. With all of Python's, short texts would be taken for exotic ones.
_LEGACY_ENCODINGS = [
    *("cp1252", "latin_1", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "koi8_r"),
    *("cp932", "euc_jp", "gb18030", "big5", "cp949"),
]
_DECLARED = re.compile(
    rb"""<(?:meta|\?xml)\b[^>]{0,400}?\b(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9._:-]+)""", re.IGNORECASE
)


def decode(content: bytes, *, is_html: bool = False) -> str:
    """Decode by byte order mark, as UTF-8, as the HTML declares, or in the likeliest legacy encoding, in this order.

    Raises:
        UnsupportedFile: the content is not text.
    """
    text = _decode_unicode(content)
    if text is None and is_html:
        text = _decode_declared(content)
    if text is None and b"\0" not in content:
        text = _guess(content)
    if text is None or "\0" in text:
        raise UnsupportedFile("is not text, or its encoding is unknown; save it as UTF-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decode_unicode(content: bytes) -> str | None:
    encoding = next((encoding for bom, encoding in _BOMS if content.startswith(bom)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return None


def _decode_declared(content: bytes) -> str | None:
    declared = _DECLARED.search(content[:4096])
    try:
        return content.decode(declared[1].decode("ascii")) if declared else None
    except (LookupError, ValueError):
        return None


def _guess(content: bytes) -> str | None:
    from charset_normalizer import from_bytes

    guess = from_bytes(content, cp_isolation=_LEGACY_ENCODINGS).best()
    return None if guess is None else str(guess)
