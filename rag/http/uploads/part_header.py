"""The header of one part of multipart/form-data: which field it is, and which file."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from rag.errors import InvalidRequest

_PARAMETER = re.compile(rb';\s*([^\s=;"]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;"]*)', re.DOTALL)


class PartHeader:
    """Gathers what the parser finds; python-multipart calls these."""

    def __init__(self) -> None:
        self.disposition = b""
        self._name = b""
        self._value = b""

    def clear(self) -> None:
        self.disposition = b""

    def on_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            self.disposition = self._value
        self._name = self._value = b""


def read_disposition(header: bytes) -> tuple[str, str | None]:
    """The field's name, and the file's if it is one, as sent: folders, quotes and all.

    Read here because python-multipart leaves out `filename*` (older clients send it for names that are not ASCII),
    and cuts folders off names that look like Windows paths.

    Raises:
        InvalidRequest: there is no name, or one that is not UTF-8.
    """
    options = {key.lower(): value for key, value in _PARAMETER.findall(header)}
    if not header.lower().startswith(b"form-data") or b"name" not in options:
        raise InvalidRequest("a part of the form has no name")
    name = _decoded(_unquoted(options[b"name"]))
    if b"filename*" in options:
        return name, _decoded(*_extended(options[b"filename*"]))
    return name, _decoded(_unquoted(options[b"filename"])) if b"filename" in options else None


def _unquoted(value: bytes) -> bytes:
    if not value.startswith(b'"'):
        return value.strip()
    # Browsers leave backslashes as they are: only what must be escaped is taken for escaped.
    return re.sub(rb'\\(["\\])', rb"\1", value[1:-1])


def _extended(value: bytes) -> tuple[bytes, str]:
    """RFC 5987: `utf-8'en'na%C3%AFve.md`."""
    charset, _, rest = _unquoted(value).partition(b"'")
    _, _, text = rest.partition(b"'")
    return unquote_to_bytes(text), "latin-1" if charset.lower() == b"iso-8859-1" else "utf-8"


def _decoded(raw: bytes, encoding: str = "utf-8") -> str:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        raise InvalidRequest("a name in the form is not UTF-8", param="filename") from None
