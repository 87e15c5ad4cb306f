"""How images of requests are read."""

from __future__ import annotations

from dataclasses import dataclass, field

from rag.ports import ImageSource
from rag.types import ImageLimits


@dataclass(frozen=True, slots=True)
class ImageOptions:
    limits: ImageLimits = field(default_factory=ImageLimits)
    source: ImageSource | None = None
    """Fetches images by URL; None: none is fetched."""
