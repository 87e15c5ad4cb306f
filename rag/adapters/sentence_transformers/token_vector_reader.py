"""Token vectors of a sentence-transformers bi-encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rag.adapters.sentence_transformers.token_vectors import SPECIAL, TokenVectors
from rag.errors import InvalidRequest
from rag.types import TextKind


class TokenVectorReader:
    """Reads them from the model's last layer, before it makes one vector of them.

    Args:
        model: A `SentenceTransformer` that no other thread uses yet: counting tokens sets its tokenizer up anew.
        name: What it is called.
        prefixes: Put before every text of that kind.
    """

    def __init__(self, model: Any, name: str, prefixes: Mapping[TextKind, str]) -> None:
        self._model = model
        self._name = name
        self._prefixes = prefixes
        self._has_any = "token_embeddings" in model.encode(["ready"], output_value=None, show_progress_bar=False)[0]
        self._special: Sequence[int] = model.tokenizer.all_special_ids if self._has_any else ()
        self._skipped = {kind: self._count(prefix.rstrip()) if prefix else 0 for kind, prefix in prefixes.items()}

    def read(self, texts: Sequence[str], kind: TextKind) -> list[TokenVectors]:
        """See `rag.adapters.sentence_transformers.late_interaction.TokenEncoder`. Blocks."""
        if not self._has_any:
            raise InvalidRequest(
                f"rerank: the encoder {self._name!r} has no token vectors, so there is no late interaction with it; "
                "set RAG_RERANK__KIND to another way"
            )
        prefixed = [self._prefixes[kind] + text for text in texts]
        found = self._model.encode(
            prefixed, batch_size=max(1, len(prefixed)), output_value=None, show_progress_bar=False
        )
        return [self._tokens(features, kind) for features in found]

    def _tokens(self, features: Mapping[str, Any], kind: TextKind) -> TokenVectors:
        import torch

        read = features["attention_mask"].bool()
        ids = features["input_ids"][read].int().cpu().numpy()
        vectors = torch.nn.functional.normalize(features["token_embeddings"][read].float(), dim=1).half().cpu().numpy()
        special = np.isin(ids, self._special)
        kept = ~special
        kept[np.flatnonzero(kept)[: self._skipped[kind]]] = False
        if kind == "query":
            kept |= special
        return TokenVectors(np.where(special, SPECIAL, ids)[kept], vectors[kept])

    def _count(self, text: str) -> int:
        return len(self._model.tokenizer(text, add_special_tokens=False)["input_ids"]) if self._has_any else 0
