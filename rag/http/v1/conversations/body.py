"""The bodies of `/v1/conversations`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from rag.errors import InvalidRequest
from rag.http.v1.documents.body import Body, Metadata, example
from rag.http.v1.responses.request.input import InputItem, stored_item
from rag.http.v1.responses.request.turns import check_fields
from rag.types import JsonObject

MAX_NEW_ITEMS = 20
"""Of one request; OpenAI's limit."""
_Items = Annotated[list[InputItem], Field(max_length=MAX_NEW_ITEMS, description="Messages, oldest first.")]


class CreateConversation(Body):
    model_config = example(items=[{"role": "user", "content": "What is this service made of?"}])

    items: _Items | None = None
    metadata: Metadata | None = Field(None, description="At most 16 strings of your own, by name.")


class UpdateConversation(Body):
    model_config = example(metadata={"topic": "guide"})

    metadata: Metadata | None = Field(description="Replaces all previous ones.")


class CreateItems(Body):
    model_config = example(items=[{"role": "user", "content": "What is this service made of?"}])

    items: Annotated[_Items, Field(min_length=1)]


def new_items(items: Sequence[InputItem]) -> list[JsonObject]:
    """The items as they are kept. Raises InvalidRequest if one is incomplete or only refers to another."""
    for position, item in enumerate(items):
        if item.type == "item_reference":
            param = f"items.{position}.type"
            raise InvalidRequest(f"{param}: a conversation holds items themselves; send the item", param=param)
        check_fields(f"items.{position}", item)
    return [stored_item(item) for item in items]
