"""Images in a conversation: parts of a message's content, in OpenAI's format, each with a data URL."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from rag.errors import InvalidRequest
from rag.types import ImageLimits, JsonMapping, JsonObject

if TYPE_CHECKING:
    from PIL.Image import Image

_FORMATS = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}
PLACEHOLDER: Final = "[image]"
"""Replaces an image where only texts are wanted."""
ESTIMATED_TOKENS: Final = 1000
"""Length of an image where it is not known; models differ widely."""
_MARK = "image_url"


def image_part(data_url: str) -> JsonObject:
    """A part of a message's content."""
    return {"type": _MARK, _MARK: {"url": data_url}}


def text_part(text: str) -> JsonObject:
    return {"type": "text", "text": text}


def is_image(part: JsonMapping) -> bool:
    return bool(part["type"] == _MARK)


def image_urls(messages: Iterable[JsonMapping]) -> list[str]:
    """The data URLs of all images of a conversation, in their order."""
    contents = [turn["content"] for turn in messages if isinstance(turn.get("content"), list | tuple)]
    return [part[_MARK]["url"] for content in contents for part in content if is_image(part)]


def text_of(content: str | Sequence[JsonMapping] | None) -> str:
    """The content of a message as text, with a placeholder for each image."""
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(PLACEHOLDER if is_image(part) else part["text"] for part in content)


def as_texts(messages: Iterable[JsonMapping]) -> list[JsonObject]:
    """The conversation with a placeholder for each image."""
    return [{**turn, "content": text_of(turn.get("content"))} for turn in messages]


def bytes_of(data_url: str) -> bytes:
    """The bytes in a data URL. Raises InvalidRequest, without the name of a field, if it is not one with base64."""
    head, comma, data = data_url.partition(",")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        raise InvalidRequest("must be a data URL with base64, such as data:image/png;base64,iVBORw0...")
    try:
        content = base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest("is not base64") from None
    if not content:
        raise InvalidRequest("is empty")
    return content


def data_url(content: bytes, image_format: str) -> str:
    """Args:
    image_format: Pillow's name of the format, as `decoded` returns it.
    """
    return f"data:{_FORMATS[image_format]};base64,{base64.b64encode(content).decode()}"


def decoded(content: bytes, limits: ImageLimits) -> tuple[Image, str]:
    """The image, upright and without transparency, and Pillow's name of its format. Of several frames, the first.

    Takes a fraction of a second, mostly outside the interpreter's lock.

    Raises:
        InvalidRequest: it is too large, or cannot be read; without the name of a field.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    if len(content) > limits.bytes:
        raise InvalidRequest(f"has {len(content)} bytes, more than {limits.bytes} (RAG_LLM__MAX_IMAGE_KIB)")
    try:
        with Image.open(io.BytesIO(content), formats=tuple(_FORMATS)) as image:
            width, height, image_format = image.width, image.height, image.format or ""
            if width * height <= limits.pixels:  # otherwise its pixels are never decoded
                return _opaque(ImageOps.exif_transpose(image)), image_format
    except UnidentifiedImageError:
        raise InvalidRequest("is not a PNG, JPEG, WebP or GIF image") from None
    except Exception:  # decoders fail in many ways
        raise InvalidRequest("is damaged or not valid, and cannot be read") from None
    raise InvalidRequest(
        f"has {width} x {height} pixels, more than {limits.pixels // 1_000_000} million "
        "(RAG_LLM__MAX_IMAGE_MEGAPIXELS); scale it down"
    )


def _opaque(image: Image) -> Image:
    """As RGB. What is transparent becomes white."""
    from PIL import Image

    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
