"""Polls the models of an OpenAI-compatible server."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, TypeAdapter

from rag.adapters.openai.client import OpenAiClient
from rag.adapters.openai.errors import OpenAiRequest, ServerErrors
from rag.errors import RagError, Starting
from rag.poller import Poller

_READY_INTERVAL_S = 5.0
_NOT_READY_INTERVAL_S = 1.0
_TIMEOUT_S = 5.0
_MAX_MISSED_POLLS = 3
"""Unanswered polls in a row before the server counts as down: a busy server may be slow."""
_VLLM_OWNERS = {"vllm", "rag"}
"""Values of `owned_by` on servers that accept vLLM's parameters: vLLM itself, and another bundle like this one."""
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
    """What an OpenAI-compatible server offers."""

    model: str
    context_tokens: int | None
    """None: the server does not say."""
    adapters: frozenset[str]
    is_vllm: bool
    """Whether the server accepts vLLM's parameters."""


class OpenAiModels:
    """Polls the server's list of models, and knows whether the server answers.

    Args:
        model: The server's name of the model; None: the first one listed.
    """

    def __init__(self, client: OpenAiClient, errors: ServerErrors, model: str | None) -> None:
        self._client = client
        self._errors = errors
        self._model = model
        self._served: ServerCapabilities | None = None
        self._failure: RagError | None = Starting("the language model's server has not answered yet")
        self._missed_polls = 0
        self._poller = Poller(self._poll)

    def start(self) -> None:
        self._poller.start()

    def stop(self) -> None:
        self._poller.stop()

    def served(self) -> ServerCapabilities:
        """The last known capabilities, even if the server does not answer now.

        Raises:
            Starting: the server has not been asked yet.
            DependencyUnavailable: the server has never answered; says why.
        """
        if self._served is None:
            self.check()
        assert self._served is not None
        return self._served

    def check(self) -> None:
        """Raise the current failure, if there is one."""
        if self._failure is not None:
            raise type(self._failure)(self._failure.message, param=self._failure.param)

    async def ask(self) -> None:
        """Poll once. `check` raises the failure from then on, if there is one."""
        try:
            self._note(await self._listed())
        except RagError as error:
            self._missed_polls += 1
            # Only a timeout of a server that has answered before may mean that it is busy.
            if (
                self._failure is not None
                or "was silent" not in error.message
                or self._missed_polls >= _MAX_MISSED_POLLS
            ):
                self._fail(error)
        except Exception as error:  # a bug here must not end the polling
            logger.exception("the language model's server could not be asked")
            self._fail(self._errors.unavailable(f"could not be asked ({type(error).__name__})"))

    async def _poll(self) -> float:
        await self.ask()
        return _READY_INTERVAL_S if self._failure is None else _NOT_READY_INTERVAL_S

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
            logger.info("using the model %s on a server that is %s", served.model, kind)
        self._served, self._failure, self._missed_polls = served, None, 0

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
        adapters = {entry.id for entry in entries if entry.owned_by == "vllm" and entry.parent} | {
            entry.id for entry in entries if entry.parent == name
        }
        return ServerCapabilities(name, entry.max_model_len if entry else None, frozenset(adapters - {name}), is_vllm)

    def _refuse_rag(self, entries: Sequence[_Entry]) -> None:
        """Refuse the model `rag` of another bundle like this one, which would search documents for each prompt."""
        is_bundle = any(entry.id == _RAG and entry.owned_by == _RAG for entry in entries)
        if is_bundle and (self._model or _RAG).partition(":")[0] == _RAG:
            others = [entry.id for entry in entries if entry.id != _RAG and not entry.parent]
            what = "is a bundle like this one: set RAG_LLM__MODEL to its language model"
            where = "the address of an LLM service of this bundle belongs in RAG_LLM__SERVICE_URL"
            raise self._errors.unavailable(f"{what} ({', '.join(others)}); {where}")
