"""Log probabilities in the formats of OpenAI's API and of vLLM's server."""

from __future__ import annotations

from collections.abc import Sequence

from openai.types.chat.chat_completion_token_logprob import ChatCompletionTokenLogprob, TopLogprob

from rag.types import JsonObject, TokenLogprob

_MIN_LOGPROB = -9999.0
"""Used instead of minus infinity, which JSON cannot represent."""


def chat_logprobs(logprobs: Sequence[TokenLogprob]) -> list[ChatCompletionTokenLogprob]:
    return [
        ChatCompletionTokenLogprob(
            token=one.token,
            bytes=_bytes(one.token),
            logprob=bounded(one.logprob),
            top_logprobs=[
                TopLogprob(token=top.token, bytes=_bytes(top.token), logprob=bounded(top.logprob)) for top in one.top
            ],
        )
        for one in logprobs
    ]


def prompt_logprobs(logprobs: Sequence[TokenLogprob | None]) -> list[JsonObject | None]:
    """In the format of vLLM's server: for each token of the prompt an object whose keys are token ids."""
    return [None if one is None else _by_id(one) for one in logprobs]


def bounded(logprob: float) -> float:
    return max(logprob, _MIN_LOGPROB)


def _by_id(one: TokenLogprob) -> JsonObject:
    ranked = {str(top.token_id): _with_rank(top, rank) for rank, top in enumerate(one.top, start=1)}
    return {str(one.token_id): _with_rank(one, None), **ranked}


def _with_rank(one: TokenLogprob, rank: int | None) -> JsonObject:
    return {"logprob": bounded(one.logprob), "rank": rank, "decoded_token": one.token}


def _bytes(token: str) -> list[int] | None:
    """None if the token is part of a character: its bytes are unknown."""
    return None if "\ufffd" in token else list(token.encode())
