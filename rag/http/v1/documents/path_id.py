"""Ids and names in paths: `{file_id:id}`."""

from __future__ import annotations

from typing import ClassVar

from starlette.convertors import Convertor


class PathId(Convertor[str]):
    """Matches any id or name without NUL, which no database stores; a path with NUL is a 404."""

    regex: ClassVar[str] = r"[^/\x00]{1,512}"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value
