"""The request of `/ask`."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from rag.errors import EmptyQuestion, InvalidRequest
from rag.generate.citations import CitationMode
from rag.generate.quoting import StyleOption
from rag.http.bodies.sampling_fields import StructuredOutputs
from rag.http.bodies.wire import HistoryTurn, Stop
from rag.http.fields.filters_wire import Filter
from rag.http.fields.response_format import ResponseFormat, structured_outputs
from rag.http.fields.retrieval_settings import RetrievalSettings
from rag.http.fields.thinking_fields import EFFORT_DESCRIPTION, Effort, template_values
from rag.http.validation.wire_model import WireModel
from rag.types import JsonObject


class AskRequest(WireModel):
    """A question to be answered from the documents."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"question": "What is this service made of?", "top_k": 4, "max_tokens": 128}}
    )

    question: str = Field(description="The question, in plain words.", max_length=100_000)
    vector_store: str = Field("default", description="The collection of documents to search.", max_length=64)
    history: list[HistoryTurn] = Field(
        default_factory=list, description="Earlier turns of the conversation, oldest first.", max_length=200
    )
    top_k: int | None = Field(None, ge=1, le=100, description="Maximum number of passages given to the language model.")
    filters: Filter | None = Field(None, description="Search only documents whose attributes match.")
    retrieval: RetrievalSettings | None = Field(None, description="Search options that differ from the settings.")
    model: str | None = Field(
        None, min_length=1, max_length=512, description="A served model, such as a LoRA adapter; unset: rag."
    )
    citations: CitationMode | None = Field(
        None,
        description="check: remove citation marks that point to no source; verify: also score the cited sentences; "
        "off: leave the text unchanged. Unset: the service's setting.",
    )
    style: StyleOption | None = Field(
        None,
        description="quoted: nothing but parts of the documents, word for word; written: in the language model's own "
        "words; auto: quoted with the embedded language model, written with any other. Unset: the service's setting.",
    )
    stream: bool = Field(True, description="false: one JSON object when the answer is complete.")
    max_tokens: int | None = Field(None, ge=1, le=1_000_000, description="Maximum number of tokens in the answer.")
    temperature: float | None = Field(None, ge=0, le=2, description="0: always the most likely token (greedy).")
    top_p: float | None = Field(
        None, gt=0, le=1, description="Nucleus sampling: total probability of the tokens sampled from."
    )
    stop: Stop | None = Field(None, description="Texts before which generation stops.")
    seed: int | None = Field(None, ge=-(2**63), lt=2**63, description="Makes sampling reproducible.")
    reasoning_effort: Effort | None = Field(None, description=EFFORT_DESCRIPTION)
    thinking_token_budget: int | None = Field(
        None, ge=-1, lt=2**31, description="Maximum number of tokens that the model thinks; -1: no limit."
    )
    chat_template_kwargs: JsonObject | None = Field(
        None, description="Variables of the language model's chat template, such as enable_thinking."
    )
    response_format: ResponseFormat | None = None
    structured_outputs: StructuredOutputs | None = Field(
        None, description="A constraint on the answer, as in vLLM; cannot be combined with response_format."
    )

    def checked_question(self) -> str:
        if not self.question.strip():
            raise EmptyQuestion("question: is empty; ask something", param="question")
        return self.question

    def search(self) -> JsonObject:
        """The fields of `PrepareRequest` that the request sets."""
        names = {"history", "vector_store", "top_k", "filters", "retrieval"}
        chosen: JsonObject = self.model_dump(include=names, exclude_none=True)
        return chosen

    @property
    def template_values(self) -> JsonObject:
        """Variables of the chat template."""
        return template_values(self.reasoning_effort, self.chat_template_kwargs)

    def sampling(self) -> JsonObject:
        """The sampling parameters that the request sets, by vLLM's names."""
        names = ("max_tokens", "temperature", "top_p", "stop", "seed", "thinking_token_budget")
        chosen = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        if (structured := self._structured()) is not None:
            chosen["structured_outputs"] = structured
        return chosen

    def _structured(self) -> JsonObject | None:
        if self.structured_outputs is None:
            return structured_outputs(self.response_format)
        if self.response_format is not None:
            message = "structured_outputs: give this or response_format, not both"
            raise InvalidRequest(message, param="structured_outputs")
        return self.structured_outputs.model_dump(exclude_unset=True, exclude_none=True, by_alias=True)
