"""Searches and queries in this process, beside the same ones through the server of Milvus Lite."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymilvus import MilvusClient

from rag.adapters.milvus.lite.lite_client import LiteClient
from rag.adapters.milvus.rows import CHUNK_FIELDS
from rag.adapters.milvus.store import FLUSH_ROWS, MilvusStore
from tests.contract.vector_store.store_calls import EMBEDDER, STORE, dense, keyword, put, texts
from tests.support.builders import a_chunk

pytestmark = pytest.mark.integration

WORDS = ["apple", "owl", "gull", "salt", "water", "index", "vector", "search"]
FILTERS = ["", 'attributes["n"] < 60', 'filename == "none.md"']


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MilvusStore]:
    store = MilvusStore(str(tmp_path / "milvus.db"))
    store.create(STORE, EMBEDDER.dimensions, EMBEDDER.model_name)
    yield store
    store.close()


def a_text(number: int) -> str:
    return f"{' '.join(random.Random(number).choices(WORDS, k=6))} {number}"


def put_numbered(store: MilvusStore, *numbers: int, version: str = "v1") -> None:
    put(store, *(a_chunk(a_text(n), ordinal=n, version_id=version, attributes={"n": n}) for n in numbers))


def both(store: MilvusStore, field: str, data: list[Any], expression: str) -> tuple[list[Any], list[Any]]:
    """Distances and rows of ten hits for each query: ours, and those through the server."""
    client, name = store.connection.client(), store.connection.name(STORE)
    assert isinstance(client, LiteClient)
    options: dict[str, Any] = {
        "data": data,
        "anns_field": field,
        "limit": 10,
        "output_fields": CHUNK_FIELDS,
        "filter": expression,
    }
    answers = client.search(name, **options), MilvusClient.search(client, name, **options)
    ours, theirs = ([[(hit["distance"], dict(hit["entity"])) for hit in hits] for hits in found] for found in answers)
    return ours, theirs


@pytest.mark.parametrize("expression", FILTERS)
def test_hits_are_those_of_the_server(store: MilvusStore, expression: str) -> None:
    put_numbered(store, *range(FLUSH_ROWS + 20))
    put_numbered(store, 7, 8, 9, version="v2")
    store.delete(STORE, ["v3"])
    store.connection.client().flush(store.connection.name(STORE))
    ours, theirs = both(store, "dense", list(EMBEDDER.vectors(["owl 7", "salt water"])), expression)
    assert ours == theirs
    ours, theirs = both(store, "keyword", ["owl", "salt water 9"], expression)
    assert ours == theirs


def test_rows_of_a_query_are_those_of_the_server(store: MilvusStore) -> None:
    put_numbered(store, *range(30))
    client, name = store.connection.client(), store.connection.name(STORE)
    options: dict[str, Any] = {"filter": 'attributes["n"] < 9', "output_fields": CHUNK_FIELDS}
    ours, theirs = client.query(name, **options), MilvusClient.query(client, name, **options)
    assert len(ours) == 9
    assert [dict(row) for row in ours] == [dict(row) for row in theirs]


def test_each_write_is_seen_by_the_next_search(store: MilvusStore) -> None:
    put(store, *(a_chunk(f"apple {n}", ordinal=n) for n in range(FLUSH_ROWS)))  # is flushed
    assert len(keyword(store, "apple", limit=300)) == FLUSH_ROWS
    changed = a_chunk("pear 7", ordinal=7)
    put(store, changed, again=True)  # replaces a row that is in a file
    assert len(keyword(store, "apple", limit=300)) == FLUSH_ROWS - 1
    assert texts(keyword(store, "pear")) == ["pear 7"]
    assert "apple 7" not in texts(dense(store, "apple 7", limit=300))
    store.connection.client().flush(store.connection.name(STORE))  # the old row and its deletion are in files now
    assert "apple 7" not in texts(dense(store, "apple 7", limit=300))
    store.delete(STORE, [changed.version_id])
    assert not dense(store, "apple 7")
    assert not keyword(store, "apple")
