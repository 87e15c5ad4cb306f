"""Images of other servers."""

from __future__ import annotations

from typing import Protocol


class ImageSource(Protocol):
    """Fetches images by their URLs. Each has a time limit and a limit of its size."""

    async def fetch(self, url: str) -> bytes:
        """The bytes of the image; nothing is known of them.

        Raises:
            InvalidRequest: the settings do not allow its server, or it cannot be fetched; without the name of a field.
        """
        ...
