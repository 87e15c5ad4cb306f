"""Images in messages: by data URL, by the URL of another server, or as an uploaded file."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol, Self

from pydantic import Field, PrivateAttr, model_validator

from rag.errors import InternalError, InvalidRequest, RagError
from rag.http.clients.remote_files import RemoteFiles
from rag.http.v1.documents.body import Body, CacheBreakpoint, Id
from rag.http.v1.text_generation.image_options import ImageOptions
from rag.http.v1.text_generation.part_fields import by_field
from rag.http.v1.text_generation.sent_back import SENT_BACK
from rag.llm.images import PLACEHOLDER, bytes_of, data_url, decoded, image_part, text_part
from rag.types import Facts, JsonObject

MAX_URL_CHARS = 64 * 2**20
"""The size of the body is the limit of a data URL."""
NO_IMAGES = "an answer from documents reads no images; ask the language model itself"
ImageDetail = Literal["auto", "low", "high", "original"]
_DETAIL = "Accepted without effect: the language model's own image processor decides."
Url = Annotated[str, Field(min_length=1, max_length=MAX_URL_CHARS)]


class AttachedImage(Body):
    """An image; `read_images` reads it."""

    _part: JsonObject | None = PrivateAttr(default=None)

    @property
    def source_url(self) -> str | None:
        raise NotImplementedError

    @property
    def source_file(self) -> str | None:
        return None

    @property
    def text(self) -> str:
        """Images have no text."""
        return ""

    def for_model(self) -> JsonObject:
        """In the format of `rag.types.Chat`."""
        if self._part is None:
            raise InternalError("an image was not read")
        return self._part

    def show(self, url: str) -> None:
        self._part = image_part(url)

    def leave_out(self) -> None:
        self._part = text_part(PLACEHOLDER)


class ImageUrl(Body):
    model_config = SENT_BACK

    url: Url = Field(description="A data URL, or the URL of an image on a server that the settings allow.")
    detail: ImageDetail | None = Field(None, description=_DETAIL)


class ImagePart(AttachedImage):
    """An image in a message of a chat."""

    model_config = SENT_BACK

    type: Literal["image_url"]
    image_url: ImageUrl

    @property
    def source_url(self) -> str | None:
        return self.image_url.url


class InputImagePart(AttachedImage):
    """An image in a message of a response."""

    model_config = SENT_BACK

    type: Literal["input_image"]
    image_url: Url | None = None
    file_id: Id | None = None
    detail: ImageDetail | None = Field(None, description=_DETAIL)
    prompt_cache_breakpoint: CacheBreakpoint | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.image_url is None) == (self.file_id is None):
            raise ValueError("give exactly one of image_url and file_id")
        return self

    @property
    def source_url(self) -> str | None:
        return self.image_url

    @property
    def source_file(self) -> str | None:
        return self.file_id

    def stored(self) -> JsonObject:
        kept = self.model_dump(exclude_none=True, exclude={"prompt_cache_breakpoint"})
        return {**kept, "detail": self.detail or "auto"}


class Part(Protocol):
    """A part of a message's content."""

    @property
    def text(self) -> str: ...


class HasImages(Protocol):
    """A message with images."""

    @property
    def images(self) -> Mapping[int, AttachedImage]:
        """By the number of the part."""
        ...


def images_among(parts: Sequence[Part] | None) -> dict[int, AttachedImage]:
    return {number: part for number, part in enumerate(parts or ()) if isinstance(part, AttachedImage)}


def model_content(parts: Sequence[Part]) -> str | list[JsonObject]:
    """The content of a message in the format of `rag.types.Chat`: text, or parts if there are images."""
    if not any(isinstance(part, AttachedImage) for part in parts):
        return "".join(part.text for part in parts)
    return [part.for_model() if isinstance(part, AttachedImage) else text_part(part.text) for part in parts]


def attached_images(messages: Sequence[HasImages], place: str) -> dict[str, AttachedImage]:
    """All images by the names of their fields.

    Args:
        place: Name of the field that contains the messages.
    """
    return by_field((message.images for message in messages), place)


def refuse_images(images: Iterable[str], reason: str) -> None:
    """Raises InvalidRequest if there are images.

    Args:
        images: Names of their fields.
    """
    for name in images:
        raise InvalidRequest(f"{name}: {reason}", param=name)


@dataclass(frozen=True, slots=True)
class ImageReader:
    """Reads the images of a request.

    Args:
        facts: What the service `LLM` reports.
    """

    files: RemoteFiles
    options: ImageOptions
    facts: Facts

    async def read(
        self, images: Mapping[str, AttachedImage], earlier: Mapping[str, AttachedImage] | None = None
    ) -> None:
        """Read the images, so that the language model can be shown them.

        Args:
            images: By the names of their fields.
            earlier: The images of earlier turns, oldest first. If there are too many together with the others, the
                oldest are left out.

        Raises:
            InvalidRequest: the language model cannot see, or there are too many, or one cannot be read; says which, and
                why.
            FileNotFound: the caller has no file with this id.
        """
        everything = {**(earlier or {}), **images}
        if not everything:
            return
        if not self.facts.get("images"):
            refuse_images(images, f"{self.facts.get('model')} reads text only, no images")
            for image in everything.values():
                image.leave_out()
            return
        most = self.options.limits.count
        if len(images) > most:
            name = list(images)[most]
            message = f"{name}: a request may have at most {most} images (RAG_LLM__MAX_IMAGES)"
            raise InvalidRequest(message, param=name)
        left, room = most, self.options.limits.total_bytes
        too_large = f"the images of a request may have at most {room} bytes together"
        for name, image in reversed(everything.items()):  # the newest first
            size = await self._read(name, image) if left and room > 0 else 0
            left, room = left - bool(left), room - size
            if not size or room < 0:
                if name in images:
                    raise InvalidRequest(f"{name}: {too_large}", param=name)
                image.leave_out()

    async def _read(self, place: str, image: AttachedImage) -> int:
        """Returns the number of its bytes."""
        name = f"{place}.{'file_id' if image.source_file is not None else 'image_url'}"
        try:
            content = await self._content(image)
            _, image_format = await asyncio.to_thread(decoded, content, self.options.limits)
        except RagError as error:
            if error.param in (None, "file_id"):
                raise type(error)(f"{name}: {error.message.removeprefix('file_id: ')}", param=name) from error
            raise
        image.show(data_url(content, image_format))
        return len(content)

    async def _content(self, image: AttachedImage) -> bytes:
        if (file_id := image.source_file) is not None:
            return await self.files.content(file_id, self.options.limits.bytes)
        url = image.source_url or ""
        if url[:8].lower().startswith(("http://", "https://")):
            if self.options.source is None:
                raise InvalidRequest("this service fetches no images; send the image as a data URL")
            return await self.options.source.fetch(url)
        return bytes_of(url)
