from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types import OtherFileChunkingStrategyObject, StaticFileChunkingStrategyObject

from rag.chunkers import chunker_for
from rag.chunkers.strategy import (
    ChunkingStrategy,
    ParentChildStrategy,
    RecursiveStrategy,
    SentenceStrategy,
    StructureStrategy,
    TokenStrategy,
    from_json,
    parse,
    to_json,
    to_wire,
)
from rag.errors import InternalError, InvalidRequest

DEFAULT = RecursiveStrategy(300, 0)
EVERY: list[ChunkingStrategy] = [
    TokenStrategy(200, 100),
    RecursiveStrategy(64, 1),
    SentenceStrategy(100, 10),
    StructureStrategy(16_383),
    ParentChildStrategy(parent_chars=500, child_chars=100),
]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (None, DEFAULT),
        ({"type": "auto"}, DEFAULT),
        (
            {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 50}},
            TokenStrategy(100, 50),
        ),
        ({"type": "static", "static": {"max_chunk_size_tokens": 200}}, TokenStrategy(200, 100)),
        ({"type": "static"}, TokenStrategy(800, 400)),
        ({"type": "recursive"}, RecursiveStrategy(512, 51)),
        ({"type": "recursive", "recursive": {"max_chars": 1000}}, RecursiveStrategy(1000, 100)),
        ({"type": "sentences", "sentences": {"overlap_sentences": 0}}, SentenceStrategy(512, 0)),
        ({"type": "structure", "structure": {}}, StructureStrategy(1_024)),
        ({"type": "parent_child"}, ParentChildStrategy(parent_chars=2_048, child_chars=384)),
        ({"type": "parent_child", "parent_child": {"parent_chars": 200}}, ParentChildStrategy(200, 100)),
    ],
)
def test_what_a_request_may_ask_for(data: Any, expected: ChunkingStrategy) -> None:
    assert parse(data, DEFAULT) == expected


@pytest.mark.parametrize(
    ("data", "param"),
    [
        ("auto", ""),
        ([], ""),
        ({}, ".type"),
        ({"type": "other"}, ".type"),
        ({"type": ["static"]}, ".type"),
        ({"type": "auto", "auto": {}}, ".auto"),
        ({"type": "static", "recursive": {}}, ".recursive"),
        ({"type": "static", "static": 800}, ".static"),
        ({"type": "static", "static": None}, ".static"),
        ({"type": "static", "static": {"size": 1}}, ".static.size"),
        ({"type": "static", "static": {"max_chunk_size_tokens": 99}}, ".static.max_chunk_size_tokens"),
        ({"type": "static", "static": {"max_chunk_size_tokens": 4097}}, ".static.max_chunk_size_tokens"),
        ({"type": "static", "static": {"max_chunk_size_tokens": True}}, ".static.max_chunk_size_tokens"),
        ({"type": "static", "static": {"max_chunk_size_tokens": "800"}}, ".static.max_chunk_size_tokens"),
        (
            {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 51}},
            ".static.chunk_overlap_tokens",
        ),
        ({"type": "recursive", "recursive": {"max_chars": 16_384}}, ".recursive.max_chars"),
        ({"type": "recursive", "recursive": {"max_chars": 63}}, ".recursive.max_chars"),
        ({"type": "recursive", "recursive": {"overlap_chars": -1}}, ".recursive.overlap_chars"),
        ({"type": "sentences", "sentences": {"overlap_sentences": 11}}, ".sentences.overlap_sentences"),
        ({"type": "parent_child", "parent_child": {"child_chars": 1_025}}, ".parent_child.child_chars"),
    ],
)
def test_what_is_refused_by_name(data: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(data, DEFAULT)
    assert caught.value.param == f"chunking_strategy{param}"
    assert str(caught.value.param) in caught.value.message


@pytest.mark.parametrize("strategy", EVERY)
def test_what_is_stored_comes_back(strategy: ChunkingStrategy) -> None:
    stored = json.loads(json.dumps(to_json(strategy)))
    assert from_json(stored) == strategy
    assert parse(stored, DEFAULT) == strategy


def test_what_was_stored_under_other_bounds_still_comes_back() -> None:
    assert from_json({"type": "recursive", "recursive": {"max_chars": 32, "overlap_chars": 20}}) == RecursiveStrategy(
        32, 20
    )


@pytest.mark.parametrize("stored", [{}, {"type": "new", "new": {}}, {"type": "static", "static": {"new": 1}}])
def test_what_cannot_be_read_is_our_defect(stored: Any) -> None:
    with pytest.raises(InternalError):
        from_json(stored)


@pytest.mark.parametrize("strategy", EVERY)
def test_responses_are_openais(strategy: ChunkingStrategy) -> None:
    wire = to_wire(strategy)
    if isinstance(strategy, TokenStrategy):
        assert StaticFileChunkingStrategyObject.model_validate(wire, strict=True).to_dict() == wire
    else:
        assert OtherFileChunkingStrategyObject.model_validate(wire, strict=True).to_dict() == wire
        assert wire[wire["strategy"]] == to_json(strategy)[wire["strategy"]]


def test_tokens_cannot_be_counted_without_a_tokenizer() -> None:
    with pytest.raises(InvalidRequest, match=r"tokenizer\.json") as caught:
        chunker_for(TokenStrategy(), None)
    assert caught.value.param == "chunking_strategy"
