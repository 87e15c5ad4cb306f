"""The body of `POST /v1/responses/compact`, and its response in the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from openai.types.responses import ResponseCompactionItem, ResponseUsage
from pydantic import BaseModel, BeforeValidator, Field

from rag.errors import InvalidRequest
from rag.http.v1.documents.body import Body, CacheOptions, CacheRetention, Id, ServiceTier, example
from rag.http.v1.responses.kept_models import KeptMessage
from rag.http.v1.responses.request.body import ResponsesBody
from rag.http.v1.responses.request.input import MAX_ITEMS, InputItem, as_items


def _items(value: object) -> object:
    return [] if value is None else as_items(value)


class CompactBody(Body):
    """A conversation: its items, those of earlier responses, or both."""

    model_config = example(
        model="rag",
        input=[
            {"role": "user", "content": "What is this service made of?"},
            {"role": "assistant", "content": "Four BentoML services."},
        ],
    )

    model: str = Field(min_length=1, max_length=512)
    input: Annotated[
        list[InputItem],
        BeforeValidator(_items, json_schema_input_type=str | list[InputItem] | None),
        Field(max_length=MAX_ITEMS),
    ] = Field(default_factory=list)
    previous_response_id: Id | None = None
    instructions: str | None = Field(
        None,
        max_length=100_000,
        description="The language model gets them when it writes the summary; they are not part of the result.",
    )
    prompt_cache_key: str | None = Field(None, max_length=64)
    prompt_cache_options: CacheOptions | None = None
    prompt_cache_retention: CacheRetention | None = Field(None, description="Prompts are cached automatically.")
    service_tier: ServiceTier | None = Field(None, description="There is one tier; all names are accepted.")

    @property
    def conversation(self) -> None:
        """See `rag.http.v1.responses.memory.Continuing`."""
        return None

    def checked(self) -> Self:
        """The body itself. Raises InvalidRequest if there is nothing to compact."""
        if not self.input and self.previous_response_id is None:
            raise InvalidRequest("input: is required, unless previous_response_id is given", param="input")
        return self

    def as_response(self) -> ResponsesBody:
        """The request for the response that is kept."""
        shown = {"model", "previous_response_id", "instructions", "prompt_cache_key", "service_tier"}
        return ResponsesBody.model_validate({**self.model_dump(include=shown), "input": "-"})


class CompactionOut(BaseModel):
    """OpenAI's compacted response: all messages of the user, and one item with what the language model needs of the
    conversation. Send them as the first items of `input`.
    """

    id: str
    object: Literal["response.compaction"]
    created_at: int
    output: list[Annotated[KeptMessage | ResponseCompactionItem, Field(discriminator="type")]]
    usage: ResponseUsage
    rag: CompactionNote | None = None


class CompactionNote(BaseModel):
    """Not in OpenAI's API."""

    note: str = Field(description="What could not be done, and why.")


CompactionOut.model_rebuild()
