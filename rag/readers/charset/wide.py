"""UTF-16 and UTF-32 without a byte order mark, which many programs on Windows write."""

from __future__ import annotations

import codecs
import re
import unicodedata

_SAMPLE_BYTES = 65_536
_MIN_ZERO_RATIO = 10
"""In Latin text nearly every second byte is zero, and hardly any of the others."""
_MAX_IMPLAUSIBLE_SHARE = 0.01
_CJK = re.compile("[ -~\t\r\n\u3000-\u30ff\u4e00-\u9fff\uac00-\ud7a3\uff01-\uff9f“”‘’…—·]")
_MIN_CJK_SHARE = 0.97
_MAX_ASCII_SHARE = 0.75
"""Text in ASCII with a stray zero byte looks like Chinese in UTF-16; real UTF-16 has fewer such bytes."""


def wide_encoding(content: bytes) -> str | None:
    """The encoding of text that has zero bytes and no byte order mark; None if it is no text in such an encoding.

    Args:
        content: All bytes, or the first ones, of an even number.
    """
    sample = content[:_SAMPLE_BYTES]
    if len(sample) % 2 or b"\0" not in sample:
        return None
    if len(sample) % 4 == 0 and sample.count(0) * 2 >= len(sample):
        quarters = [sample[start::4].count(0) * 4 / len(sample) for start in range(4)]
        for codec, high in (("utf-32-le", (2, 3)), ("utf-32-be", (0, 1))):
            if min(quarters[index] for index in high) > 0.9 and _is_text(sample, codec):
                return codec
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    codec = "utf-16-le" if odd >= even else "utf-16-be"
    if max(even, odd) < _MIN_ZERO_RATIO * min(even, odd) or not _is_text(sample, codec):
        is_east_asian = _ascii_share(sample) < _MAX_ASCII_SHARE
        return next((each for each in ("utf-16-le", "utf-16-be") if is_east_asian and _is_cjk(sample, each)), None)
    is_latin = max(even, odd) * 10 >= len(sample)
    return codec if is_latin or _ascii_share(sample) < _MAX_ASCII_SHARE else None


def _is_cjk(sample: bytes, codec: str) -> bool:
    """Whether it consists of everyday Chinese, Japanese or Korean characters, some of which have a zero byte, too."""
    if not _is_text(sample, codec):
        return False
    text = codecs.getincrementaldecoder(codec)().decode(sample)
    return len(_CJK.findall(text)) >= _MIN_CJK_SHARE * len(text)


def _is_text(sample: bytes, codec: str) -> bool:
    try:
        text = codecs.getincrementaldecoder(codec)().decode(sample)  # accepts half a character at the end
    except UnicodeDecodeError:
        return False
    implausible = sum(unicodedata.category(char) in ("Cc", "Cn", "Co") and char not in "\t\n\r\f" for char in text)
    return implausible <= _MAX_IMPLAUSIBLE_SHARE * len(text)


def _ascii_share(sample: bytes) -> float:
    return sum(0x20 <= byte < 0x7F for byte in sample) / len(sample)
