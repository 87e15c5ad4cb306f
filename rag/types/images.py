"""Images in requests."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Limits of the images of one request."""

    count: int = 8
    bytes: int = 8 * 2**20
    """The size of one image as it is sent."""
    total_bytes: int = 40 * 2**20
    """The size of all images. As base64, they fit into a request between the services."""
    pixels: int = 20_000_000
    """The number of pixels in one image. A small file can decode to an image that fills the memory."""
