"""Hostile strings as keys and values of filters, on the real thing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rag.adapters.milvus.store import MilvusStore
from rag.errors import InvalidFilter
from rag.types import Match
from tests.contract.vector_store.store_calls import EMBEDDER, STORE, dense, keyword, put
from tests.support.builders import a_chunk

pytestmark = pytest.mark.integration

NAUGHTY = Path(__file__).parents[3].parent / "shared" / "data" / "hostile" / "blns" / "blns.json"
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
    "') or chunk_id != ('",
    '"] or true or attributes["s',
    "\\u0022 or 1 == 1",
    "version_id",
    "$meta",
    "\u202eright to left\u202c",
    "Z̮̞̠͙͔ͅa̙l̖͔g̛o",
    "\ufeff\u200b\ufffe",
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


@pytest.mark.parametrize("string", [*HOSTILE, "\ud800", "a\udfffb"], ids=ascii)
def test_a_hostile_query_finds_what_it_may_see_alone(store: MilvusStore, string: str) -> None:
    """Its words are searched for; whatever it holds, the filter beside it stays as it is."""
    for query in (string, f"word {string}"):
        found_at_all = keyword(store, query, limit=100)
        assert query == string or len(found_at_all) == len(HOSTILE) + 1
        seen = keyword(store, query, filters={"type": "eq", "key": "s", "value": "plain"})
        assert [match.chunk.attributes["s"] for match in seen] == ["plain"] * min(len(found_at_all), len(seen), 1)
        assert keyword(store, query, without=[a_chunk().version_id]) == []


@pytest.mark.parametrize("value", ["\ud800", "a" * 4097, float("nan"), float("inf"), 2**63, None, {}, ["a"]], ids=ascii)
def test_values_that_milvus_could_not_take_are_refused(store: MilvusStore, value: object) -> None:
    for search in (dense, keyword):
        with pytest.raises(InvalidFilter):
            search(store, "word", filters={"type": "eq", "key": "s", "value": value})


@pytest.fixture(scope="module")
def naughty() -> list[str]:
    if not NAUGHTY.is_file():
        pytest.skip(f"{NAUGHTY} is not there: the big list of naughty strings is not part of this repository")
    strings: list[str] = json.loads(NAUGHTY.read_text(encoding="utf-8"))
    return strings


@pytest.fixture(scope="module")
def naughty_store(naughty: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusStore]:
    """A chunk for each string, which is its text and one of its attributes; and one that has nothing of the kind."""
    store = MilvusStore(str(tmp_path_factory.mktemp("naughty") / "milvus.db"))
    store.create(STORE, EMBEDDER.dimensions, EMBEDDER.model_name)
    put(store, *(a_chunk(text, ordinal=n, attributes={"s": text, "n": n}) for n, text in enumerate(naughty)))
    put(store, a_chunk("word", version="two", attributes={"s": "plain", "n": -1}))
    yield store
    store.close()


@pytest.mark.timeout(180)
def test_naughty_strings_as_values(naughty_store: MilvusStore, naughty: list[str]) -> None:
    for number, string in enumerate(naughty):
        expected = {n for n, other in enumerate(naughty) if other == string}
        filters: dict[str, Any] = {"type": "eq", "key": "s", "value": string}
        if number % 2:
            filters |= {"type": "in", "value": ["no such", string]}
        assert numbers(dense(naughty_store, "word", limit=20, filters=filters)) == expected
        if number % 50 == 0:
            others = {"type": "ne", "key": "s", "value": string}
            assert numbers(dense(naughty_store, "word", limit=600, filters=others)) == {*range(-1, 515)} - expected
            assert dense(naughty_store, "word", filters={"type": "eq", "key": "filename", "value": string}) == []


@pytest.mark.timeout(180)
def test_naughty_strings_as_keys(naughty_store: MilvusStore, naughty: list[str]) -> None:
    for string in {*naughty} - {"s", "n"}:
        for kind in ("eq", "ne"):
            try:
                matches = dense(naughty_store, "word", filters={"type": kind, "key": string, "value": "plain"})
            except InvalidFilter:
                continue
            assert matches == []


@pytest.mark.timeout(180)
def test_naughty_strings_as_queries(naughty_store: MilvusStore, naughty: list[str]) -> None:
    everything = naughty_store.keyword(STORE, naughty, 20)
    assert len(everything) == len(naughty)
    for number, matches in enumerate(everything):
        assert all(match.score > 0 for match in matches)
        assert len(matches) in (0, 20) or number in numbers(matches)
    low = {"type": "lt", "key": "n", "value": 100}
    assert all(numbers(matches) <= {*range(-1, 100)} for matches in naughty_store.keyword(STORE, naughty, 5, low))
    vectors = EMBEDDER.vectors(naughty)
    assert all(numbers(matches) <= {*range(-1, 100)} for matches in naughty_store.dense(STORE, vectors, 5, low))


def numbers(matches: list[Match]) -> set[object]:
    return {match.chunk.attributes["n"] for match in matches}
