"""Joins the lines of Chinese and Japanese paragraphs, whose words are not separated by spaces."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import regex

from rag.readers.pdf.layout.page_lines import PageLine
from rag.readers.pdf.layout.table_rows import BORDER

_CJK = (
    r"\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Bopomofo}"
    r"ー\u3001-\u3003\u3005-\u3011\u3014-\u301f\uff01-\uff0f\uff1a-\uff20\uff5b-\uff65"
)
_DIGITS = r"\s*[\d一二三四五六七八九十百]+\s*"
_ITEM = rf"第?{_DIGITS}[章節节條条項项回、．.]|[（(]{_DIGITS}[)）]|[・●○■□◆※]"
_STARTS = regex.compile(rf"(?!{_ITEM})[{_CJK}]")
_ENDS = regex.compile(rf"[{_CJK}]$")
_BREAK = regex.compile(rf"[{_CJK}]\n{_STARTS.pattern}")
_FROM_CJK = re.compile("[\u2e80-\U0010ffff]")
_MAX_PITCH = 2.2
_MARGIN = 1.8
"""Multiples of the line's height: the distance of two lines, and of a full line's end from the margin."""
_MIN_WIDTH = 5.0
_INDENT = 0.7


def paragraph_text(lines: Sequence[PageLine]) -> str:
    """The text of a page: lines separated by \\n, but by nothing within a Chinese or Japanese paragraph."""
    texts = [line.text for line in lines]
    text = "\n".join(texts)
    if text.isascii() or not _FROM_CJK.search(text) or not _BREAK.search(text):
        return text
    margins = _right_margins(lines)
    separators = ["" if _continues(one, two, margins) else "\n" for one, two in pairwise(lines)]
    return "".join(text + separator for text, separator in zip(texts, [*separators, ""], strict=True))


def _right_margins(lines: Sequence[PageLine]) -> dict[int, float]:
    """Where the longest line ends that starts at about the same x, by x in steps of ten points."""
    margins: dict[int, float] = defaultdict(float)
    for line in lines:
        if line.segments:
            step = int(line.box.left // 10)
            for near in range(step - 3, step + 4):
                margins[near] = max(margins[near], line.box.right)
    return margins


def _continues(line: PageLine, following: PageLine, margins: dict[int, float]) -> bool:
    """True if both are lines of the same paragraph: the first is full, the second is below it and not indented."""
    if not (line.segments and following.segments and _ENDS.search(line.text) and _STARTS.match(following.text)):
        return False
    if BORDER in line.text or BORDER in following.text:
        return False
    one, two = line.box, following.box
    height = one.height
    is_full = one.right >= margins[int(one.left // 10)] - _MARGIN * height and one.width >= _MIN_WIDTH * height
    is_below = 0 < one.middle - two.middle <= _MAX_PITCH * height and abs(height - two.height) < 0.2 * height
    return is_full and is_below and two.left <= one.left + _INDENT * height and two.left < one.right
