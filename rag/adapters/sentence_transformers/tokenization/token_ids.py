"""Token ids as input of a sentence-transformers bi-encoder."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeGuard

from rag.adapters.sentence_transformers.tokenization.windows import Windows, split_windows
from rag.errors import InvalidRequest
from rag.ports import Vectors
from rag.types import LongTexts, TextKind, TokenIds

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_ENDLESS = 10**12
"""A maximum length that is never reached, so that transformers does not warn about long texts."""


def are_ids(inputs: Sequence[str] | Sequence[TokenIds]) -> TypeGuard[Sequence[TokenIds]]:
    return bool(inputs) and not isinstance(inputs[0], str)


class StTokenIds:
    """Counts tokens, and encodes token ids. Thread-safe.

    Args:
        model: A `SentenceTransformer` that no other thread uses yet.
        name: The name of the model.
        prefixes: The prefix of each kind of text.
    """

    def __init__(self, model: SentenceTransformer, name: str, prefixes: Mapping[TextKind, str]) -> None:
        self._model = model
        self._name = name
        # A copy, since counting configures the tokenizer (docs/bentoml_issues.md#o2).
        self._tokenizer = copy.deepcopy(model.tokenizer)
        self._is_transformer = hasattr(self._tokenizer, "pad")
        self._prefixes: dict[TextKind, list[int]] = {}
        self._head: list[int] = []
        self._tail: list[int] = []
        if self._is_transformer:
            self._tokenizer.model_max_length = _ENDLESS
            self._prefixes = {kind: self._ids(prefix.rstrip()) for kind, prefix in prefixes.items() if prefix}
            self._head, self._tail = self._frame()

    @property
    def max_tokens(self) -> int | None:
        """The most tokens that the model reads of a text, special tokens included; None: no limit."""
        longest = self._model.max_seq_length
        return None if longest is None or math.isinf(longest) else int(longest)

    def count(self, texts: Sequence[str]) -> list[int]:
        """The number of tokens of each text, special tokens included. Blocks."""
        if self._is_transformer:
            return [len(ids) for ids in self._tokenizer(list(texts), truncation=False)["input_ids"]]
        return [len(found.ids) for found in self._tokenizer.encode_batch(list(texts), add_special_tokens=False)]

    def framed(self, inputs: Sequence[TokenIds], kind: TextKind) -> list[list[int]]:
        """Token ids with the prefix of their kind and the model's special tokens, which they may have already.

        Raises:
            InvalidRequest: an id is not in the vocabulary, or the model takes no token ids.
        """
        if not self._is_transformer:
            raise InvalidRequest(f"input: the encoder {self._name!r} takes no token ids; send texts", param="input")
        known, prefix = len(self._tokenizer), self._prefixes.get(kind, [])
        if any(not 0 <= number < known for ids in inputs for number in ids):
            raise InvalidRequest(
                f"input: a token id is not in the vocabulary of {self._name!r}, which has {known} tokens; send "
                "texts, or ids of its own tokenizer",
                param="input",
            )
        return [[*self._head, *prefix, *self._bare(ids), *self._tail] for ids in inputs]

    def windows(
        self,
        inputs: Sequence[str] | Sequence[TokenIds],
        kind: TextKind,
        long_texts: LongTexts,
        max_tokens: int | None,
    ) -> Windows:
        """Inputs in windows that the model reads whole, each with the prefix and the special tokens. Blocks.

        Args:
            max_tokens: Each input is truncated to this many tokens first.

        Raises:
            InvalidRequest: as `framed` does, or there is no room for an input beside the prefix and the special tokens.
        """
        extra = len(self.framed([[]], kind)[0])
        bare = [self._bare(ids) for ids in inputs] if are_ids(inputs) else [self._ids(str(text)) for text in inputs]
        if max_tokens is not None:
            if max_tokens <= extra:
                message = f"max_tokens: {self._name!r} adds {extra} tokens to each text, so it must be above {extra}"
                raise InvalidRequest(message, param="max_tokens")
            bare = [ids[: max_tokens - extra] for ids in bare]
        size = None if self.max_tokens is None else self.max_tokens - extra
        split = split_windows(bare, size, long_texts)
        return replace(split, ids=tuple(self.framed(split.ids, kind)))

    def encode(self, inputs: Sequence[Sequence[int]]) -> Vectors:
        """Vectors of the result of `framed`, truncated to what the model reads. Blocks."""
        import torch

        cut = [self._cut(ids) for ids in inputs]
        features = self._tokenizer.pad({"input_ids": cut}, return_tensors="pt")
        with torch.inference_mode():
            found = self._model({name: value.to(self._model.device) for name, value in features.items()})
        vectors: Vectors = torch.nn.functional.normalize(found["sentence_embedding"].float(), dim=1).cpu().numpy()
        return vectors

    def _cut(self, ids: Sequence[int]) -> list[int]:
        longest, tail = self.max_tokens, len(self._tail)
        if longest is None or len(ids) <= longest:
            return list(ids)
        return [*ids[: longest - tail], *self._tail]

    def _bare(self, ids: TokenIds) -> TokenIds:
        head, tail = len(self._head), len(self._tail)
        if head and list(ids[:head]) == self._head:
            ids = ids[head:]
        return ids[: len(ids) - tail] if tail and list(ids[-tail:]) == self._tail else ids

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False, truncation=False)["input_ids"])

    def _frame(self) -> tuple[list[int], list[int]]:
        """The special tokens before and after every text, such as `[CLS]` and `[SEP]`."""
        found = self._tokenizer("a", return_special_tokens_mask=True)
        ids, mask = list(found["input_ids"]), list(found["special_tokens_mask"])
        first = mask.index(0) if 0 in mask else 0
        last = len(mask) - mask[::-1].index(0) if 0 in mask else len(mask)
        return ids[:first], ids[last:]
