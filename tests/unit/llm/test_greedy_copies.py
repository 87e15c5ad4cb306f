"""Several choices at temperature 0: one text is generated and copied."""

from __future__ import annotations

from typing import Any

import pytest

from rag.llm.greedy_copies import copies_wanted, repeat_text
from rag.ports import TokenStream
from rag.types import StreamEnd, TextDelta, Usage


@pytest.mark.parametrize(
    ("sampling", "copies"),
    [({"n": 3, "temperature": 0}, 3), ({"n": 3, "temperature": 0.0}, 3), ({"n": 2, "temperature": 9e-6}, 2)],
)
def test_greedy_sampling_generates_one_text(sampling: dict[str, Any], copies: int) -> None:
    assert copies_wanted(sampling) == copies
    assert "n" not in sampling


@pytest.mark.parametrize(
    "sampling",
    [{"n": 3, "temperature": 1e-5}, {"n": 3, "temperature": 1.0}, {"n": 3}, {"n": 1, "temperature": 0}],
    ids=str,
)
def test_other_sampling_is_unchanged(sampling: dict[str, Any]) -> None:
    before = dict(sampling)
    assert copies_wanted(sampling) == 1
    assert sampling == before


async def test_deltas_and_token_counts_are_repeated_for_every_copy() -> None:
    async def generate_text() -> TokenStream:
        yield TextDelta("a")
        yield TextDelta("b")
        yield StreamEnd("stop", Usage(5, 2, 4))

    *deltas, last = [delta async for delta in repeat_text(generate_text(), 2)]
    assert [(delta.text, delta.index) for delta in deltas if isinstance(delta, TextDelta)] == [
        ("a", 0), ("a", 1), ("b", 0), ("b", 1)
    ]  # fmt: skip
    assert isinstance(last, StreamEnd)
    assert last.usage == Usage(5, 4, 4)
    assert [end.finish_reason for end in last.all_ends()] == ["stop", "stop"]
