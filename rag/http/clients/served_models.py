"""The models that a request can name, as reported by the other services."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from rag.errors import InvalidRequest, ModelNotFound, RagError
from rag.http.clients.upstream_services import UpstreamServices
from rag.http.model_aliases import ModelAliases

RAG = "rag"
"""Name of the model that answers from documents."""
ModelKind = Literal["language", "embedding", "adapter", "rag"]


@dataclass(frozen=True, slots=True)
class ServedModel:
    name: str
    kind: ModelKind
    parent: str | None = None
    """For an adapter, its language model; for `rag` with an adapter, that adapter."""
    context_tokens: int | None = None
    reads_images: bool = False


@dataclass(frozen=True, slots=True)
class ModelTarget:
    """The model that generates the text of a request."""

    name: str
    """Its name in the request."""
    is_rag: bool
    adapter: str = ""
    """Name of a LoRA adapter; empty for the language model itself."""


class ServedModels:
    """The models of all services.

    Args:
        dependencies: Clients of the services `Retriever` and `LLM`.
        aliases: Further names of these models.
    """

    def __init__(self, dependencies: UpstreamServices, aliases: ModelAliases) -> None:
        self._dependencies = dependencies
        self._aliases = aliases

    def all(self) -> list[ServedModel]:
        """`rag`, the language model under all its names, its adapters, `rag` with each adapter, the embedding model.

        Raises Starting or DependencyUnavailable if the LLM service is not ready.
        """
        facts = self._dependencies.require("LLM")
        name, context = str(facts["model"]), facts.get("context_tokens")
        adapters = [str(adapter) for adapter in facts.get("adapters", ())]
        names = [name, *map(str, facts.get("aliases", ()))]
        sees = bool(facts.get("images"))
        models = [ServedModel(RAG, "rag", context_tokens=context)]
        models += [ServedModel(alias, "language", context_tokens=context, reads_images=sees) for alias in names]
        models += [ServedModel(adapter, "adapter", name, context, sees) for adapter in adapters]
        models += [ServedModel(f"{RAG}:{adapter}", "rag", adapter, context) for adapter in adapters]
        encoder = (self._dependencies.facts("Retriever") or {}).get("embedder")
        return [*models, *([ServedModel(str(encoder), "embedding")] if encoder else [])]

    def listed(self) -> list[ServedModel]:
        """All models, and further entries for their aliases without `*`."""
        models = self.all()
        by_name = {model.name: model for model in models}
        stands_for = {name: self._aliases.model(name) or "" for name in self._aliases.names if name not in by_name}
        return models + [replace(by_name[model], name=name) for name, model in stands_for.items() if model in by_name]

    async def named(self, name: str) -> ServedModel:
        """The model with this name or alias. Before an unknown name is refused, the services are probed again.

        Raises:
            ModelNotFound: there is no such model.
        """
        if (model := self._find(name)) is None:
            await self._refresh()
            model = self._find(name)
        alias_of = self._aliases.model(name)
        if model is None and alias_of is not None:
            model = self._find(alias_of)
        if model is None:
            names = ", ".join(served.name for served in self.all())
            alias = "" if alias_of is None else f" (RAG_MODELS__ALIASES: {alias_of!r})"
            message = f"model: there is no model {name[:200]!r}{alias}; available models: {names}"
            raise ModelNotFound(message, param="model")
        return model

    async def target(self, name: str) -> ModelTarget:
        """What generates text for this model name.

        Raises:
            ModelNotFound: there is no such model.
            InvalidRequest: it is the embedding model.
        """
        model = await self.named(name)
        if model.kind == "embedding":
            raise InvalidRequest(f"model: {name} is an embedding model and generates no text", param="model")
        return _target(model)

    def _find(self, name: str) -> ServedModel | None:
        return next((model for model in self.all() if model.name == name), None)

    async def _refresh(self) -> None:
        try:
            await self._dependencies.ready()
        except RagError:  # `all` raises it if it concerns the language model
            return


def _target(model: ServedModel) -> ModelTarget:
    if model.kind == "rag":
        return ModelTarget(model.name, is_rag=True, adapter=model.parent or "")
    return ModelTarget(model.name, is_rag=False, adapter=model.name if model.kind == "adapter" else "")
