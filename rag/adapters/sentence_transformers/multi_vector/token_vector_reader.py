"""Token vectors of a sentence-transformers bi-encoder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.adapters.sentence_transformers.multi_vector.token_vectors import SPECIAL, TokenVectors
from rag.errors import InvalidRequest
from rag.ports import Vectors
from rag.types import TextKind

if TYPE_CHECKING:
    import torch


class TokenVectorReader:
    """Reads token vectors from the model's last layer, before pooling.

    Args:
        model: A `SentenceTransformer` that no other thread uses yet (docs/bentoml_issues.md#o2).
        name: The name of the model.
        prefixes: The prefix of each kind of text.
    """

    def __init__(self, model: Any, name: str, prefixes: Mapping[TextKind, str]) -> None:
        self._model = model
        self._name = name
        self._prefixes = prefixes
        self._has_any = "token_embeddings" in model.encode(["ready"], output_value=None, show_progress_bar=False)[0]
        self._special: Sequence[int] = model.tokenizer.all_special_ids if self._has_any else ()
        self._skipped = {kind: self._count(prefix.rstrip()) if prefix else 0 for kind, prefix in prefixes.items()}

    def read(self, texts: Sequence[str], kind: TextKind) -> list[TokenVectors]:
        """See `rag.adapters.sentence_transformers.multi_vector.late_interaction.TokenEncoder`. Blocks."""
        if not self._has_any:
            raise InvalidRequest(
                f"rerank: the encoder {self._name!r} has no token vectors, which late interaction needs; set "
                "RAG_RERANK__KIND to another kind"
            )
        return [self._tokens(features, kind) for features in self._features(texts, kind)]

    @property
    def has_any(self) -> bool:
        """Whether the model has token vectors."""
        return self._has_any

    def passages(self, texts: Sequence[str]) -> tuple[Vectors, Iterator[TokenVectors]]:
        """The vectors of passages and those of their tokens, computed at once. Blocks.

        The vectors of tokens must not be read if the model has none.
        """
        import torch

        found = self._features(texts, "passage")
        whole = torch.stack([features["sentence_embedding"].float() for features in found])
        vectors: Vectors = torch.nn.functional.normalize(whole, dim=1).cpu().numpy()
        return vectors, (self._tokens(features, "passage") for features in found)

    def _features(self, texts: Sequence[str], kind: TextKind) -> list[Mapping[str, torch.Tensor]]:
        prefixed = [self._prefixes[kind] + text for text in texts]
        found: list[Mapping[str, torch.Tensor]] = self._model.encode(
            prefixed, batch_size=max(1, len(prefixed)), output_value=None, show_progress_bar=False
        )
        return found

    def _tokens(self, features: Mapping[str, torch.Tensor], kind: TextKind) -> TokenVectors:
        import torch

        read = features["attention_mask"].bool()
        ids = features["input_ids"][read].int().cpu().numpy()
        vectors = torch.nn.functional.normalize(features["token_embeddings"][read].float(), dim=1).half().cpu().numpy()
        special = np.isin(ids, self._special)
        selected = ~special
        selected[np.flatnonzero(selected)[: self._skipped[kind]]] = False
        if kind == "query":
            selected |= special
        return TokenVectors(np.where(special, SPECIAL, ids)[selected], vectors[selected])

    def _count(self, text: str) -> int:
        return len(self._model.tokenizer(text, add_special_tokens=False)["input_ids"]) if self._has_any else 0
