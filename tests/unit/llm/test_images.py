"""Images of requests: only formats that are known, within limits of bytes and pixels."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import pytest
from PIL import Image

from rag.errors import InvalidRequest
from rag.llm.images import as_texts, bytes_of, data_url, decoded, image_part, image_urls, text_part
from rag.types import ImageLimits, JsonObject

LIMITS = ImageLimits(count=2, bytes=100_000, pixels=10_000)


def an_image(image_format: str, side: int = 8, mode: str = "RGB", color: Any = "red", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (side, side), color).save(file, image_format, **options)
    return file.getvalue()


def a_bomb(side: int) -> bytes:
    """A PNG of some hundred bytes with one pixel's data, which says that it is a large image."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 4)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP", "GIF"])
def test_known_formats_are_read(image_format: str) -> None:
    content = an_image(image_format)
    image, found = decoded(content, LIMITS)
    assert (image.size, image.mode, found) == ((8, 8), "RGB", image_format)
    assert bytes_of(data_url(content, found)) == content
    red, green, blue = image.getpixel((0, 0))  # type: ignore[misc]
    assert red > 240
    assert green < 15
    assert blue < 15


def test_of_several_frames_the_first_is_read() -> None:
    file = io.BytesIO()
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    assert decoded(file.getvalue(), LIMITS)[0].getpixel((0, 0)) == (255, 0, 0)


def test_what_is_transparent_becomes_white() -> None:
    assert decoded(an_image("PNG", mode="RGBA", color=(0, 0, 0, 0)), LIMITS)[0].getpixel((0, 0)) == (255, 255, 255)


def test_an_image_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.new("RGB", (20, 10)).save(file, "JPEG", exif=exif)
    assert decoded(file.getvalue(), LIMITS)[0].size == (10, 20)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"%PDF-1.7", "not a PNG"),
        (an_image("BMP"), "not a PNG"),
        (an_image("TIFF"), "not a PNG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a PNG"),
        (an_image("PNG", 64, color="blue")[:-40], "damaged"),
        (a_bomb(90), "damaged"),
        (a_bomb(101), "101 x 101 pixels"),
        (a_bomb(30_000), "pixels|damaged"),
        (b"\x89PNG" + b"\0" * 100_000, "100004 bytes"),
    ],
    ids=["PDF", "BMP", "TIFF", "SVG", "cut", "empty", "large", "bomb", "bytes"],
)
def test_other_images_are_refused(content: bytes, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        decoded(content, LIMITS)


@pytest.mark.parametrize(
    "url", ["data:image/png,abc", "data:image/png;base64", "https://x.org/a.png", "", "data:;base64,?"]
)
def test_what_is_no_data_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest):
        bytes_of(url)


def test_images_of_a_conversation() -> None:
    turns: list[JsonObject] = [
        {"role": "system", "content": "Look."},
        {"role": "user", "content": [image_part("data:1"), text_part("What?"), image_part("data:2")]},
        {"role": "assistant", "content": None},
    ]
    assert image_urls(turns) == ["data:1", "data:2"]
    assert [turn["content"] for turn in as_texts(turns)] == ["Look.", "[image]What?[image]", ""]
