"""Names of character encodings, read as browsers read them (https://encoding.spec.whatwg.org/#names-and-labels)."""

from __future__ import annotations

import codecs
import re
from typing import Final

_MEANINGS: Final = {
    **dict.fromkeys(("ascii", "us-ascii", "ansi_x3.4-1968", "iso-8859-1", "iso8859-1", "iso88591"), "cp1252"),
    **dict.fromkeys(("iso_8859-1", "iso-ir-100", "latin1", "latin-1", "l1", "ibm819", "cp819", "x-cp1252"), "cp1252"),
    **dict.fromkeys(("iso-8859-9", "iso8859-9", "iso88599", "iso_8859-9", "latin5", "l5", "x-cp1254"), "cp1254"),
    **dict.fromkeys(("iso-8859-11", "iso8859-11", "iso885911", "tis-620", "tis620", "dos-874", "cp874"), "cp874"),
    "windows-874": "cp874",
    **dict.fromkeys(("gb2312", "gb_2312-80", "gb_2312", "chinese", "csgb2312", "gbk", "x-gbk", "cp936"), "gb18030"),
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis", "x-sjis", "ms_kanji", "ms932", "windows-31j"), "cp932"),
    **dict.fromkeys(("euc-kr", "ks_c_5601-1987", "ksc5601", "ksc_5601", "korean", "windows-949", "cseuckr"), "cp949"),
    **dict.fromkeys(("big5", "big5-hkscs", "cn-big5", "csbig5", "x-x-big5", "cp950"), "big5hkscs"),
    **dict.fromkeys(("macintosh", "mac", "x-mac-roman", "csmacintosh", "macroman"), "mac_roman"),
    **dict.fromkeys(("x-mac-cyrillic", "x-mac-ukrainian"), "mac_cyrillic"),
    **dict.fromkeys(("koi", "koi8", "koi8-r", "koi8_r", "cskoi8r"), "koi8_r"),
    **dict.fromkeys(("iso-8859-8-i", "iso-8859-8", "logical", "visual", "hebrew", "csisolatinhebrew"), "cp1255"),
    **dict.fromkeys(("iso-8859-6-i", "iso-8859-6-e", "arabic"), "iso8859_6"),
    **dict.fromkeys(("utf-16", "utf-16le", "unicode", "ucs-2", "iso-10646-ucs-2", "csunicode"), "utf-16-le"),
    **dict.fromkeys(("utf8", "unicode-1-1-utf-8", "x-unicode20utf8"), "utf-8"),
}
"""Labels that do not mean what Python takes them for, or that Python does not know."""
_TEXT_CODEC = re.compile(
    r"utf-(?:8|16-le|16-be|32|32-le|32-be)|cp\d+|iso8859-\d+|koi8-[rtu]|mac-[a-z0-9]+|euc_[a-z_0-9]+"
    r"|gb18030|big5|big5hkscs|shift_jis\w*|iso2022_jp\w*|hz"
)
"""Python has further codecs, such as `unicode_escape`, that are no encodings of text."""


def codec_of(label: str) -> str | None:
    """Python's name of the encoding that a label means; None for an unknown label."""
    name = label.strip().strip("\"'").lower()
    windows = re.fullmatch(r"(?:x-|windows-)(?:cp)?(\d{3,4})", name)
    name = _MEANINGS.get(name) or (f"cp{windows[1]}" if windows else name)
    try:
        codec = codecs.lookup(name).name
    except (LookupError, ValueError):  # ValueError: NUL in the label
        return None
    return codec if _TEXT_CODEC.fullmatch(codec) else None
