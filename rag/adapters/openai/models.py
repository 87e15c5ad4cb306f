"""The models that an OpenAI-compatible server lists, asked for now and then."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, TypeAdapter

from rag.adapters.openai.client import OpenAiClient
from rag.adapters.openai.errors import OpenAiRequest, ServerErrors
from rag.errors import RagError, Starting

_READY_INTERVAL_S = 5.0
_NOT_READY_INTERVAL_S = 1.0
_TIMEOUT_S = 5.0
_MAX_MISSED_POLLS = 3
"""Questions in a row that may stay without an answer: a server that is busy is slow, not gone."""
_VLLM_OWNERS = {"vllm", "rag"}
"""Owners of models on servers that take vLLM's parameters: vLLM's own, and a bundle like this one."""
_RAG = "rag"
_LIST = OpenAiRequest("/models", {})
logger = logging.getLogger("rag.llm")


class _Entry(BaseModel):
    id: str
    owned_by: str | None = None
    parent: str | None = None
    max_model_len: int | None = None


class _Listing(BaseModel):
    data: list[_Entry] | None


_LISTING: TypeAdapter[_Listing | list[_Entry]] = TypeAdapter(_Listing | list[_Entry])


@dataclass(frozen=True, slots=True)
class ServerCapabilities:
    """What a server has for us."""

    model: str
    context_tokens: int | None
    """None: it does not say."""
    adapters: frozenset[str]
    is_vllm: bool
    """Whether it takes vLLM's parameters."""


class OpenAiModels:
    """Knows what the server has, and whether it answers.

    Args:
        model: As the server calls it; None: the first one listed.
    """

    def __init__(self, client: OpenAiClient, errors: ServerErrors, model: str | None) -> None:
        self._client = client
        self._errors = errors
        self._model = model
        self._served: ServerCapabilities | None = None
        self._failure: RagError | None = Starting("the language model's server has not answered yet")
        self._missed = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep_asking())

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def served(self) -> ServerCapabilities:
        """As the server said last, be it silent now.

        Raises:
            Starting: it has not been asked yet.
            DependencyUnavailable: why it has never said.
        """
        if self._served is None:
            self.check()
        assert self._served is not None
        return self._served

    def check(self) -> None:
        """Raises what keeps the server from answering."""
        if self._failure is not None:
            raise type(self._failure)(self._failure.message, param=self._failure.param)

    async def ask(self) -> None:
        """Ask now. What fails is what `check` raises from then on."""
        try:
            self._note(await self._listed())
        except RagError as error:
            self._missed += 1
            # One that never answered, or refuses, is not a busy one.
            if self._failure is not None or "was silent" not in error.message or self._missed >= _MAX_MISSED_POLLS:
                self._fail(error)
        except Exception as error:  # a defect of ours must not end the asking
            logger.exception("the language model's server could not be asked")
            self._fail(self._errors.unavailable(f"could not be asked ({type(error).__name__})"))

    async def _keep_asking(self) -> None:
        while True:
            await self.ask()
            await asyncio.sleep(_READY_INTERVAL_S if self._failure is None else _NOT_READY_INTERVAL_S)

    async def _listed(self) -> Sequence[_Entry]:
        with self._errors.translated(_LIST):
            answer = await self._client.ask_models(_TIMEOUT_S)
        try:
            listing = _LISTING.validate_python(answer)
        except ValueError:
            raise self._errors.unavailable("lists no models at /models; see RAG_LLM__URL") from None
        return listing if isinstance(listing, list) else listing.data or []

    def _note(self, entries: Sequence[_Entry]) -> None:
        served = self._chosen(entries)
        if self._failure is not None or self._served is None or served.model != self._served.model:
            kind = "vLLM" if served.is_vllm else "not vLLM"
            logger.info("writing with %s at a server that is %s", served.model, kind)
        self._served, self._failure, self._missed = served, None, 0

    def _fail(self, error: RagError) -> None:
        if self._failure is None or self._failure.message != error.message:
            logger.warning("%s", error.message)
        self._failure = error

    def _chosen(self, entries: Sequence[_Entry]) -> ServerCapabilities:
        self._refuse_rag(entries)
        by_name = {entry.id: entry for entry in entries}
        if self._model is None and not entries:
            raise self._errors.unavailable("lists no model; set RAG_LLM__MODEL")
        name = self._model or entries[0].id
        is_vllm = any(entry.owned_by in _VLLM_OWNERS for entry in entries)
        entry = by_name.get(name)
        if entry is None and is_vllm:
            names = ", ".join(list(by_name)[:8])
            raise self._errors.unavailable(f"has no model {name} (RAG_LLM__MODEL); it has {names}")
        ours = {entry.id for entry in entries if entry.owned_by == "vllm" and entry.parent} | {
            entry.id for entry in entries if entry.parent == name
        }
        return ServerCapabilities(name, entry.max_model_len if entry else None, frozenset(ours - {name}), is_vllm)

    def _refuse_rag(self, entries: Sequence[_Entry]) -> None:
        """A bundle like this one: with its model `rag` it would search once more for each prompt."""
        is_bundle = any(entry.id == _RAG and entry.owned_by == _RAG for entry in entries)
        if is_bundle and (self._model or _RAG).partition(":")[0] == _RAG:
            others = [entry.id for entry in entries if entry.id != _RAG and not entry.parent]
            what = "is a bundle like this one: set RAG_LLM__MODEL to its language model"
            where = "the address of an LLM service of this bundle belongs in RAG_LLM__SERVICE_URL"
            raise self._errors.unavailable(f"{what} ({', '.join(others)}); {where}")
