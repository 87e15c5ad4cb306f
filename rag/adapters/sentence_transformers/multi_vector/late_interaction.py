"""Reranking with the token vectors of a bi-encoder.

ColBERT's late interaction (Khattab and Zaharia, 2020, doi:10.1145/3397271.3401075) without ColBERT's training: each
token of the query is matched with the most similar token of the text. Tokens that are rare among the texts count more,
as in BM25: this improved nDCG@10 on SciFact's training claims in all ten settings that were tried (+0.004 on average),
and made no difference on SQuAD and XQuAD.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from functools import partial
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
from cachetools import LRUCache

from rag.adapters.sentence_transformers.multi_vector.token_vector_file import TokenVectorFile
from rag.adapters.sentence_transformers.multi_vector.token_vectors import SPECIAL, TokenVectors
from rag.adapters.sentence_transformers.scheduler import THREADS_PER_SLICE, ComputeScheduler
from rag.types import TextKind

_Key: TypeAlias = tuple[str, bytes]


class TokenEncoder(Protocol):
    @property
    def model_name(self) -> str: ...

    async def encode_tokens(self, texts: Sequence[str], kind: TextKind) -> list[TokenVectors]:
        """Token vectors of each text, in order. Special tokens are included for queries only.

        Raises:
            InvalidRequest: the model has no token vectors.
        """
        ...


class TokenVectorCache:
    """An LRU cache of the token vectors of passages, by model and text. For one event loop.

    Args:
        max_bytes: Total size of the vectors. With 384 dimensions, 512 characters take about 80 KiB.
    """

    def __init__(self, max_bytes: int) -> None:
        self._entries: LRUCache[_Key, TokenVectors] = LRUCache(max_bytes, getsizeof=lambda tokens: tokens.nbytes)

    def get(self, model: str, text: str) -> TokenVectors | None:
        return self._entries.get(_key(model, text))

    def put(self, model: str, text: str, tokens: TokenVectors) -> None:
        if tokens.nbytes <= self._entries.maxsize:
            self._entries[_key(model, text)] = tokens


def _key(model: str, text: str) -> _Key:
    return model, hashlib.sha256(text.encode()).digest()


class LateInteraction:
    """Scores passages by late interaction. Implements `rag.ports.Reranker`. Scores compare only within a call.

    Args:
        cache: Token vectors of texts that were scored before.
        token_file: Token vectors of ingested passages.
    """

    def __init__(
        self,
        encoder: TokenEncoder,
        cache: TokenVectorCache,
        scheduler: ComputeScheduler,
        token_file: TokenVectorFile | None = None,
    ) -> None:
        self._encoder = encoder
        self._cache = cache
        self._scheduler = scheduler
        self._token_file = token_file

    @property
    def name(self) -> str:
        return f"late_interaction:{self._encoder.model_name}"

    async def rerank(self, query: str, texts: Sequence[str]) -> list[float]:
        if not texts:
            return []
        passages = await self._passages(list(dict.fromkeys(texts)))
        (tokens,) = await self._encoder.encode_tokens([query], "query")
        return await self._scheduler.question(partial(late_scores, tokens, [passages[text] for text in texts]))

    async def _passages(self, texts: Sequence[str]) -> dict[str, TokenVectors]:
        model = self._encoder.model_name
        known = {text: tokens for text in texts if (tokens := self._cache.get(model, text)) is not None}
        if self._token_file is not None and len(known) < len(texts):
            unknown = [text for text in texts if text not in known]
            known |= await asyncio.to_thread(self._token_file.find, model, unknown)
        missing = [text for text in texts if text not in known]
        if missing:
            for text, tokens in zip(missing, await self._encoder.encode_tokens(missing, "passage"), strict=True):
                known[text] = tokens
                self._cache.put(model, text, tokens)
        return known


def late_scores(query: TokenVectors, passages: Sequence[TokenVectors]) -> list[float]:
    """For each passage the weighted mean, over the query's tokens, of the highest cosine with one of the passage's.

    In [0, 1]: below 0 counts as 0. A passage without tokens has 0.
    """
    if not len(query.ids):
        return [0.0] * len(passages)
    best = _highest_cosines(query.vectors, [passage.vectors for passage in passages])
    weights = _rarity(query.ids, [passage.ids for passage in passages])
    return [min(1.0, max(0.0, float(score))) for score in best @ (weights / weights.sum())]


def _highest_cosines(
    query: npt.NDArray[np.float16], passages: Sequence[npt.NDArray[np.float16]]
) -> npt.NDArray[np.float32]:
    """Shape (passages, tokens of the query); 0 for a passage without tokens."""
    import torch

    torch.set_num_threads(THREADS_PER_SLICE)
    highest = np.zeros((len(passages), len(query)), dtype=np.float32)
    filled = [position for position, vectors in enumerate(passages) if len(vectors)]
    if filled:
        starts = np.cumsum([0, *(len(passages[position]) for position in filled[:-1])])
        together = torch.from_numpy(np.concatenate([passages[position] for position in filled])).float()
        cosines = (together @ torch.from_numpy(query).float().T).numpy()
        highest[filled] = np.maximum.reduceat(cosines, starts, axis=0)
    return highest


def _rarity(query: npt.NDArray[np.int32], passages: Sequence[npt.NDArray[np.int32]]) -> npt.NDArray[np.float64]:
    """BM25's inverse document frequency of each token among these passages; 1 for special tokens."""
    having = np.sum([np.isin(query, ids) for ids in passages], axis=0)
    rarity: npt.NDArray[np.float64] = np.log1p((len(passages) - having + 0.5) / (having + 0.5))
    return np.where(query == SPECIAL, 1.0, rarity)
