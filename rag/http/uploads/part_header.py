"""The header of one part of multipart/form-data: the field's name, and the file's name."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from rag.errors import InvalidRequest

_PARAMETER = re.compile(rb';\s*([^\s=;"]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;"]*)', re.DOTALL)
_LABEL = re.compile(rb"[A-Za-z0-9._:-]{1,40}")


class PartHeader:
    """Collects the header of a part; the methods are callbacks of python-multipart."""

    def __init__(self) -> None:
        self.disposition = b""
        self.content_type = b""
        self._name = b""
        self._value = b""

    def clear(self) -> None:
        self.disposition = self.content_type = b""

    def on_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            self.disposition = self._value
        elif self._name.lower() == b"content-type":
            self.content_type = self._value
        self._name = self._value = b""


def read_disposition(header: bytes) -> tuple[str, str | None]:
    """The field's name and the file's name as sent, including folders; the file's name is None for a text field.

    Not parsed by python-multipart (docs/bentoml_issues.md#o6), because some clients send `filename*`.

    Raises:
        InvalidRequest: a name is missing or not UTF-8.
    """
    options = {key.lower(): value for key, value in _PARAMETER.findall(header)}
    if not header.lower().startswith(b"form-data") or b"name" not in options:
        raise InvalidRequest("a part of the form has no name")
    name = _decoded(_unquoted(options[b"name"]))
    if b"filename*" in options:
        return name, _decoded(*_extended(options[b"filename*"]))
    return name, _decoded(_unquoted(options[b"filename"])) if b"filename" in options else None


def read_charset(content_type: bytes) -> str:
    """The `charset` of a part's Content-Type; empty if it has none, or no plausible one."""
    options = {key.lower(): value for key, value in _PARAMETER.findall(content_type)}
    label = _unquoted(options.get(b"charset", b"")).strip()
    return label.decode("ascii") if _LABEL.fullmatch(label) else ""


def _unquoted(value: bytes) -> bytes:
    if not value.startswith(b'"'):
        return value.strip()
    # Browsers do not escape backslashes, so only `\\"` and `\\\\` are escapes.
    return re.sub(rb'\\(["\\])', rb"\1", value[1:-1])


def _extended(value: bytes) -> tuple[bytes, str]:
    """An extended value as in RFC 5987, such as `utf-8'en'na%C3%AFve.md`: its bytes and encoding."""
    charset, _, rest = _unquoted(value).partition(b"'")
    _, _, text = rest.partition(b"'")
    return unquote_to_bytes(text), "latin-1" if charset.lower() == b"iso-8859-1" else "utf-8"


def _decoded(raw: bytes, encoding: str = "utf-8") -> str:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        raise InvalidRequest("a name in the form is not UTF-8", param="filename") from None
