"""The models that a request can name, as the other services say which there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rag.errors import InvalidRequest, ModelNotFound, RagError
from rag.http.clients.upstream_services import UpstreamServices

RAG = "rag"
"""The model that answers from documents."""
ModelKind = Literal["language", "embedding", "adapter", "rag"]


@dataclass(frozen=True, slots=True)
class ServedModel:
    name: str
    kind: ModelKind
    parent: str | None = None
    """Of an adapter: the language model that it changes."""
    context_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class ModelTarget:
    """What shall write."""

    name: str
    """As the request has it."""
    is_rag: bool
    adapter: str = ""
    """Empty: the language model as it is."""


class ServedModels:
    """Args:
    dependencies: Clients named `Retriever` and `LLM`.
    """

    def __init__(self, dependencies: UpstreamServices) -> None:
        self._dependencies = dependencies

    def all(self) -> list[ServedModel]:
        """Those that answer now: `rag`, the language model by each name, its adapters, `rag` with each, the encoder.

        Raises Starting or DependencyUnavailable while the language model does not answer.
        """
        facts = self._dependencies.require("LLM")
        name, context = str(facts["model"]), facts.get("context_tokens")
        adapters = [str(adapter) for adapter in facts.get("adapters", ())]
        names = [name, *map(str, facts.get("aliases", ()))]
        found = [ServedModel(RAG, "rag", context_tokens=context)]
        found += [ServedModel(one, "language", context_tokens=context) for one in names]
        found += [ServedModel(adapter, "adapter", name, context) for adapter in adapters]
        found += [ServedModel(f"{RAG}:{adapter}", "rag", adapter, context) for adapter in adapters]
        encoder = (self._dependencies.facts("Retriever") or {}).get("embedder")
        return [*found, *([ServedModel(str(encoder), "embedding")] if encoder else [])]

    async def named(self, name: str) -> ServedModel:
        """Asks the services anew before it says that there is no such model.

        Raises:
            ModelNotFound: there is none of this name.
        """
        if (found := self._find(name)) is None:
            await self._ask_anew()
            found = self._find(name)
        if found is None:
            names = ", ".join(model.name for model in self.all())
            raise ModelNotFound(f"model: there is no {name[:200]!r}; there are {names}", param="model")
        return found

    async def writer(self, name: str) -> ModelTarget:
        """What a request's `model` names.

        Raises:
            ModelNotFound: there is none of this name.
            InvalidRequest: it is the encoder, which writes nothing.
        """
        found = await self.named(name)
        if found.kind == "embedding":
            raise InvalidRequest(f"model: {name} makes embeddings; it writes no text", param="model")
        return _writer(found)

    def _find(self, name: str) -> ServedModel | None:
        return next((model for model in self.all() if model.name == name), None)

    async def _ask_anew(self) -> None:
        try:
            await self._dependencies.ready()
        except RagError:  # of any service; `all` raises what concerns the language model
            return


def _writer(model: ServedModel) -> ModelTarget:
    if model.kind == "rag":
        return ModelTarget(model.name, is_rag=True, adapter=model.parent or "")
    return ModelTarget(model.name, is_rag=False, adapter=model.name if model.kind == "adapter" else "")
