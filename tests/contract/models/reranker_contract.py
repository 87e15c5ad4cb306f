"""What every Reranker does. Inherit it and give it a `reranker` fixture."""

from __future__ import annotations

import asyncio

import pytest

from rag.ports import Reranker

ZEBRA = "The zebra of the savanna eats grass."
TEXTS = ["Rows are stored in segments.", ZEBRA, "", "An index makes a search quick. " * 30, "zebra"]
HOSTILE = [" ", "\0", "\ud7ff\U0010ffff", "a" * 20_000, "ﷺ" * 300, "日本語のテキスト", "🙂" * 50, "</s> [SEP] [PAD]"]


class RerankerContract:
    understands = True
    """Whether a text about the question has a higher score; a model with random weights knows nothing."""

    async def test_one_score_a_text_in_the_order_given(self, reranker: Reranker) -> None:
        scores = await reranker.rerank("What does the zebra eat?", TEXTS)
        turned = await reranker.rerank("What does the zebra eat?", TEXTS[::-1])
        assert scores == pytest.approx(turned[::-1], abs=1e-3)
        assert len(set(scores)) > 2

    async def test_scores_are_in_0_to_1(self, reranker: Reranker) -> None:
        for query in ("What does the zebra eat?", *HOSTILE):
            for score in await reranker.rerank(query, [*TEXTS, *HOSTILE]):
                assert type(score) is float
                assert 0 <= score <= 1

    async def test_the_same_text_has_the_same_score(self, reranker: Reranker) -> None:
        first, _, again = await reranker.rerank("zebra", [ZEBRA, "other", ZEBRA])
        assert first == pytest.approx(again, abs=1e-6)
        assert await reranker.rerank("zebra", [ZEBRA]) == pytest.approx(await reranker.rerank("zebra", [ZEBRA]))

    async def test_no_texts_no_scores(self, reranker: Reranker) -> None:
        assert await reranker.rerank("zebra", []) == []

    async def test_many_at_the_same_time(self, reranker: Reranker) -> None:
        queries = [f"question {n} about the zebra" for n in range(6)]
        together = await asyncio.gather(*(reranker.rerank(query, TEXTS) for query in queries))
        for query, scores in zip(queries, together, strict=True):
            assert scores == pytest.approx(await reranker.rerank(query, TEXTS), abs=1e-3)

    async def test_the_text_that_answers_is_first(self, reranker: Reranker) -> None:
        near, far = await reranker.rerank("What does the zebra eat?", [ZEBRA, "Rows are stored in segments."])
        if self.understands:
            assert near > far + 0.05
        else:
            assert near != far

    def test_its_name_has_one_line(self, reranker: Reranker) -> None:
        assert reranker.name.isprintable()
        assert reranker.name
