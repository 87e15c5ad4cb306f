"""Hostile strings as keys and values of filters, on the real thing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rag.adapters.milvus_store import MilvusStore
from rag.errors import InvalidFilter
from tests.builders import a_chunk
from tests.contract.store_contract import EMBEDDER, STORE, dense, keyword, put, texts

pytestmark = pytest.mark.integration

NAUGHTY = Path(__file__).parents[2].parent / "shared" / "data" / "hostile" / "blns" / "blns.json"
HOSTILE = [
    "",
    '"',
    "'",
    "\\",
    '\\"',
    '\\\\"',
    "\n",
    "\r\n",
    "\t",
    "\0\x01\x7f",
    "\u2028\u2029\u0085",
    "{v0}",
    "{v1} or {v0}",
    '" or 1 == 1 or "" == "',
    'x"] or attributes["n',
    "%s %d {0} ${x}",
    "*_%",
    "true",
    "null",
    "🦄漢字é",
    "a" * 4096,
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusStore]:
    store = MilvusStore(str(tmp_path_factory.mktemp("filters") / "milvus.db"))
    store.create(STORE, EMBEDDER.dimensions, EMBEDDER.model_name)
    put(store, a_chunk("word", ordinal=0, attributes={"s": "plain", "n": 1}))
    put(store, *(a_chunk("word", ordinal=n + 1, attributes={"s": value}) for n, value in enumerate(HOSTILE)))
    yield store
    store.close()


def found(store: MilvusStore, filters: dict[str, Any]) -> list[object]:
    matches = dense(store, "word", limit=100, filters=filters)
    assert len(keyword(store, "word", limit=100, filters=filters)) == len(matches)
    return [match.chunk.attributes["s"] for match in matches]


@pytest.mark.parametrize("value", HOSTILE, ids=ascii)
def test_a_hostile_value_matches_itself_alone(store: MilvusStore, value: str) -> None:
    assert found(store, {"type": "eq", "key": "s", "value": value}) == [value]
    assert found(store, {"type": "in", "key": "s", "value": ["none", value]}) == [value]
    others = {"plain", *HOSTILE} - {value}
    assert set(found(store, {"type": "ne", "key": "s", "value": value})) == others
    assert found(store, {"type": "eq", "key": "filename", "value": value}) == []
    assert found(store, {"type": "in", "key": "file_id", "value": [value]}) == []


@pytest.mark.parametrize("number", [0, -1, 2**63 - 1, 1 - 2**63, 0.1, 1e-300, 1e300, -0.0])
def test_extreme_numbers_match_nothing_else(store: MilvusStore, number: float) -> None:
    assert found(store, {"type": "eq", "key": "n", "value": number}) == []
    assert found(store, {"type": "in", "key": "n", "value": [number, 1]}) == ["plain"]


def test_a_long_list_and_many_clauses(store: MilvusStore) -> None:
    many = [f"value {n}" for n in range(255)]
    assert found(store, {"type": "in", "key": "s", "value": [*many, "plain"]}) == ["plain"]
    clauses = [{"type": "eq", "key": "s", "value": value} for value in [*many[:62], "plain"]]
    assert found(store, {"type": "or", "filters": clauses}) == ["plain"]


def test_naughty_strings_as_values_and_keys(store: MilvusStore) -> None:
    if not NAUGHTY.is_file():
        pytest.skip(f"{NAUGHTY} is not there: the big list of naughty strings is not part of this repository")
    for string in json.loads(NAUGHTY.read_text(encoding="utf-8")):
        expected = [string] if string in HOSTILE else []
        assert texts(dense(store, "word", filters={"type": "eq", "key": "s", "value": string})) == ["word"] * len(
            expected
        )
        try:
            matches = dense(store, "word", filters={"type": "eq", "key": string, "value": "plain"})
        except InvalidFilter:
            continue
        assert matches == []
