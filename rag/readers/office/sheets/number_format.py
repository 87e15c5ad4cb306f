"""Writes numbers, dates and times as a spreadsheet displays them.

Dates are written in ISO order whatever the order of the format. A negative number has a minus sign, a zero is written
as one, and a format that would scale or hide the number (thousands, fractions, exponents, conditions) is not applied.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from typing import NamedTuple

from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format, is_timedelta_format  # type: ignore[import-untyped]
from openpyxl.utils.datetime import MAC_EPOCH, WINDOWS_EPOCH, from_excel  # type: ignore[import-untyped]

GENERAL = "General"
BUILT_IN: dict[int, str] = {
    **dict.fromkeys((*range(27, 32), 36, *range(50, 55), 57, 58), "yyyy-mm-dd"),  # East Asian dates and times
    **dict.fromkeys((*range(32, 36), 55, 56), "h:mm:ss"),
    **BUILTIN_FORMATS,
}
_TOKEN = re.compile(
    r"\"(?P<quoted>[^\"]*)\"|\\(?P<escaped>.)|(?P<space>[_*].)|\[\$(?P<currency>[^\]-]*)(?:-[^\]]*)?\]"
    r"|\[(?P<color>black|blue|cyan|green|magenta|red|white|yellow|color ?\d+)\]"
    r"|(?P<digit>[0#?])|(?P<point>\.)|(?P<comma>,)|(?P<percent>%)|(?P<other>\[|general|e[+-]|[/@])|(?P<literal>.)",
    re.IGNORECASE | re.DOTALL,
)
_SECTION_END = re.compile(r"(?:\"[^\"]*\"|\\.|\[[^\]]*\]|[^;\"\\\[])*", re.DOTALL)
_NOT_DATE = re.compile(r"\"[^\"]*\"|\\.|[_*].|\[(?!h+\]|m+\]|s+\])[^\]]*\]|am/pm|a/p", re.IGNORECASE)
_MINUTES = re.compile(r"(?<=h)([^a-z]*)m+|m+(?=[^a-z]*s)")
_MAX_FORMAT_CHARS = 255


class _Token(NamedTuple):
    kind: str
    """`digit` or `literal`."""
    text: str


class _Pattern(NamedTuple):
    """A number format: integer part, decimals, and what stands around them."""

    integer: tuple[_Token, ...]
    """With the literals before and between the digits."""
    decimals: str
    suffix: str
    has_groups: bool
    percent: int


def number_text(raw: str, code: str, *, is_1904: bool = False) -> str:
    """A number as it is in the file, in a number format; text that is not a number is returned as it is."""
    try:
        number = float(raw)
    except ValueError:
        return raw
    if abs(number) == float("inf") or number != number:
        return raw
    if code == GENERAL or len(code) > _MAX_FORMAT_CHARS:
        return _plain(raw, number)
    if _is_date(code):
        return _serial_text(number, code, is_1904=is_1904) or _plain(raw, number)
    pattern = _pattern(code)
    return (_in_pattern(_plain(raw, number), pattern) if pattern else "") or _plain(raw, number)


def iso_text(raw: str, code: str) -> str:
    """A date that is saved in ISO format, in a number format."""
    try:
        moment = datetime.datetime.fromisoformat(raw.strip().removesuffix("Z"))
    except ValueError:
        return raw
    return _moment_text(moment, code if _is_date(code) else "yyyy-mm-dd hh:mm:ss")


def _plain(raw: str, number: float) -> str:
    """With 15 digits, as spreadsheets calculate: 0.3, not 0.30000000000000004."""
    if raw.removeprefix("-").isdecimal():
        return raw
    text = f"{number:.15g}"
    return format(Decimal(text), "f") if "e" in text and 1e-9 < abs(number) < 1e21 else text


@lru_cache(maxsize=1024)
def _is_date(code: str) -> bool:
    return bool(is_timedelta_format(code) or is_date_format(_NOT_DATE.sub("", code)))


def _serial_text(number: float, code: str, *, is_1904: bool) -> str:
    """A date as the number of days since the epoch; empty if there is no such date."""
    try:
        if is_timedelta_format(code):
            return _duration_text(round(number * 86_400), code)
        if number < 0:
            return ""
        moment = from_excel(number, MAC_EPOCH if is_1904 else WINDOWS_EPOCH)
    except (OverflowError, ValueError):
        return ""
    if isinstance(moment, datetime.time):
        _, has_time = _parts(code)
        return _time_text(moment, code) if has_time else ""
    return _moment_text(moment, code)


def _duration_text(seconds: int, code: str) -> str:
    sign, seconds = "-" if seconds < 0 else "", abs(seconds)
    text = f"{sign}{seconds // 3600}:{seconds // 60 % 60:02}"
    return f"{text}:{seconds % 60:02}" if "s" in code.lower() else text


@lru_cache(maxsize=1024)
def _parts(code: str) -> tuple[str, bool]:
    """The letters of the date (`y`, `m`, `d`) in a format, and whether it has a time."""
    letters = _MINUTES.sub("", _NOT_DATE.sub("", code.lower()))
    return "".join(letter for letter in "ymd" if letter in letters), "h" in letters or "s" in letters


def _moment_text(moment: datetime.datetime, code: str) -> str:
    """Midnight is left out."""
    date, has_time = _parts(code)
    time = _time_text(moment.time(), code) if has_time else ""
    if date in ("y", "ym"):
        day = f"{moment:%Y-%m}" if date == "ym" else str(moment.year)
    else:
        day = moment.date().isoformat()
    if not date:
        return time
    return f"{day} {time}" if time and moment.time() != datetime.time() else day


def _time_text(time: datetime.time, code: str) -> str:
    return time.isoformat("seconds" if "s" in _NOT_DATE.sub("", code.lower()) else "minutes")


@lru_cache(maxsize=1024)
def _pattern(code: str) -> _Pattern | None:
    """The format of positive numbers; None if it is not applied."""
    section = _SECTION_END.match(code)
    tokens = list(_tokens(section[0] if section else ""))
    kinds = [kind for kind, _ in tokens]
    if "other" in kinds or "digit" not in kinds:
        return None
    point = kinds.index("point") if "point" in kinds else len(kinds)
    digits = [index for index, kind in enumerate(kinds) if kind == "digit"]
    last_integer = max((index for index in digits if index < point), default=-1)
    if any(kind == "comma" and index > last_integer for index, kind in enumerate(kinds)):
        return None  # scaled by a thousand
    last = digits[-1]
    end = point if last > point else last + 1
    return _Pattern(
        integer=tuple(_Token("digit" if kind == "digit" else "literal", text) for kind, text in tokens[:end] if text),
        decimals="".join(text for kind, text in tokens[point:] if kind == "digit"),
        suffix="".join(text for kind, text in tokens[last + 1 :] if kind not in ("point", "comma")),
        has_groups="comma" in kinds,
        percent=kinds.count("percent"),
    )


def _tokens(section: str) -> Iterator[tuple[str, str]]:
    for match in _TOKEN.finditer(section):
        kind = match.lastgroup or "literal"
        if kind in ("space", "color", "comma"):
            yield kind, ""
        elif kind in ("quoted", "escaped", "currency"):
            yield "literal", match[kind]
        else:
            yield kind, match[0]


def _in_pattern(plain: str, pattern: _Pattern) -> str:
    """The number in its format; empty if it has too many digits."""
    try:
        number = abs(Decimal(plain).scaleb(2 * pattern.percent))
        number = number.quantize(Decimal(1).scaleb(-len(pattern.decimals)), ROUND_HALF_UP)
    except InvalidOperation:
        return ""
    whole, _, decimals = f"{number:f}".partition(".")
    while decimals and decimals[-1] == "0" and pattern.decimals[len(decimals) - 1] != "0":
        decimals = decimals[:-1]
    text = _integer_text(whole, pattern) + ("." + decimals if decimals else "") + pattern.suffix
    is_negative = plain.startswith("-") and number
    return ("-" if is_negative else "") + text.strip()


def _integer_text(whole: str, pattern: _Pattern) -> str:
    """The digits in their places from right to left, the rest of them in the leftmost place."""
    places = [index for index, token in enumerate(pattern.integer) if token.kind == "digit"]
    if not places:
        return "".join(token.text for token in pattern.integer) + whole
    whole = whole.zfill(sum(pattern.integer[index].text == "0" for index in places))
    if pattern.has_groups:
        return _join(pattern.integer, {places[0]: f"{int(whole):,}" if whole[0] != "0" else whole})
    filled: dict[int, str] = {}
    for place in reversed(places[1:]):
        filled[place], whole = whole[-1:], whole[:-1]
    return _join(pattern.integer, {**filled, places[0]: whole})


def _join(tokens: Sequence[_Token], digits: dict[int, str]) -> str:
    return "".join(digits.get(index, "") if token.kind == "digit" else token.text for index, token in enumerate(tokens))
