"""The names of content parts as fields of a request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

Part = TypeVar("Part")


def by_field(parts: Iterable[Mapping[int, Part]], place: str) -> dict[str, Part]:
    """All parts of a conversation by the names of their fields, such as `messages.0.content.1`.

    Args:
        parts: Of each message, by their numbers in its content.
        place: Name of the field that contains the messages.
    """
    return {
        f"{place}.{number}.content.{position}": part
        for number, of_message in enumerate(parts)
        for position, part in of_message.items()
    }
