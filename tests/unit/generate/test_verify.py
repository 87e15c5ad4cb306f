"""Scoring how well a source supports a sentence."""

from __future__ import annotations

import numpy as np
import pytest

from rag.retrieve.support import support, windows
from tests.fakes import FakeEmbedder

SOURCE = "Apples are red. Plums are blue. Boats swim on the sea."


async def test_the_best_matching_window_of_the_source_counts() -> None:
    scores = await support([("plums are blue", SOURCE), ("cars drive fast", SOURCE)], FakeEmbedder())
    assert scores[0] == pytest.approx(1.0)
    assert 0 <= scores[1] < 0.5


async def test_a_claim_spread_over_two_sentences_is_supported() -> None:
    embedder = FakeEmbedder()
    claim = "apples are red plums are blue"
    assert await support([(claim, SOURCE)], embedder) == [pytest.approx(1.0)]
    sentences = embedder.vectors([claim, "Apples are red.", "Plums are blue."])
    assert np.max(sentences[1:] @ sentences[0]) < 0.9


async def test_equal_texts_are_encoded_once_and_as_passages() -> None:
    embedder = FakeEmbedder()
    await support([("one", "one"), ("one", "two"), ("two", "two")], embedder)
    assert embedder.calls == [(("one", "two"), "passage")]


@pytest.mark.parametrize("text", ["", "   ", "...", "one"])
def test_every_text_has_a_window(text: str) -> None:
    assert windows(text)


def test_windows_are_sentences_and_adjacent_pairs() -> None:
    assert windows(SOURCE) == [
        "Apples are red.",
        "Plums are blue.",
        "Boats swim on the sea.",
        "Apples are red. Plums are blue.",
        "Plums are blue. Boats swim on the sea.",
    ]
