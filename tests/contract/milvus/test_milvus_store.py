from __future__ import annotations

import dataclasses
import math
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from rag.adapters.milvus.lite.fifo_lock import FifoLock
from rag.adapters.milvus.rows import NEW_FIELDS, STRINGS
from rag.adapters.milvus.store import MilvusStore
from rag.errors import DependencyUnavailable, InvalidRequest, SetupError
from rag.types import PageStart, TextRun
from rag.types.places import packed
from tests.contract.vector_store.filter_contract import FilterContract
from tests.contract.vector_store.keyword_contract import KeywordContract
from tests.contract.vector_store.sparse_contract import SparseContract
from tests.contract.vector_store.store_calls import EMBEDDER, STORE, dense, keyword, put, texts
from tests.contract.vector_store.store_contract import StoreContract
from tests.support.builders import a_chunk

pytestmark = pytest.mark.integration


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MilvusStore]:
    store = MilvusStore(str(tmp_path / "new folder" / "milvus.db"))
    yield store
    store.close()


class TestMilvusLite(StoreContract):
    pass


class CountingLock(FifoLock):
    asked_for = 0

    def __enter__(self) -> None:
        self.asked_for += 1
        super().__enter__()


def test_a_search_of_a_loaded_collection_waits_for_lite_once(store: MilvusStore) -> None:
    store.create(STORE, EMBEDDER.dimensions, EMBEDDER.model_name)
    put(store, a_chunk("apples"))
    assert texts(dense(store, "apples")) == ["apples"]
    store.connection._exclusive = lock = CountingLock()
    assert texts(dense(store, "apples")) == ["apples"]
    assert lock.asked_for == 1


class TestKeywordsOnLite(KeywordContract):
    pass


class TestSparseOnLite(SparseContract):
    pass


class TestFiltersOnLite(FilterContract):
    pass


def test_everything_is_there_after_a_restart(store: MilvusStore) -> None:
    store.create(STORE, EMBEDDER.dimensions, EMBEDDER.model_name)
    put(store, *(a_chunk(f"apple {n}", ordinal=n) for n in range(150)))
    store.close()
    assert store.count(STORE) == 150
    store.create(STORE, EMBEDDER.dimensions, EMBEDDER.model_name)
    assert texts(keyword(store, "149", limit=1)) == ["apple 149"]


def test_an_index_file_that_a_kill_cut_short_is_made_anew(tmp_path: Path, store: MilvusStore) -> None:
    store.create(STORE, EMBEDDER.dimensions, EMBEDDER.model_name)
    put(store, *(a_chunk(f"apple {n}", ordinal=n) for n in range(300)))
    assert len(dense(store, "apple", limit=5)) == 5
    store.close()
    store.count(STORE)
    files = [path for path in tmp_path.rglob("*.idx") if path.is_file()]
    assert files
    (mark,) = tmp_path.rglob("*.open")
    store.close()
    assert not mark.exists()
    for path in files:
        path.write_bytes(b"")
    mark.touch()  # as a killed process leaves it
    assert store.count(STORE) == 300
    assert texts(keyword(store, "299", limit=1)) == ["apple 299"]
    assert len(dense(store, "apple", limit=5)) == 5


def test_similar_names_are_different_stores(store: MilvusStore) -> None:
    names = ["a-b", "a_b", "a__b", "a_db", "a-db", "A-b"]
    for name in names:
        store.create(name, EMBEDDER.dimensions, EMBEDDER.model_name)
    for number, name in enumerate(names):
        chunks = [a_chunk(ordinal=n) for n in range(number)]
        store.insert(name, chunks, EMBEDDER.vectors([chunk.text for chunk in chunks]))
    assert [store.count(name) for name in names] == [0, 1, 2, 3, 4, 5]


CRASHING = """
import os, sys
from rag.adapters.milvus.store import MilvusStore
from tests.support.builders import a_chunk
from tests.contract.vector_store.store_calls import EMBEDDER, STORE, put
store = MilvusStore(sys.argv[1])
store.create(STORE, EMBEDDER.dimensions, EMBEDDER.model_name)
chunks = [a_chunk(f"apple {n}", ordinal=n) for n in range(150)]
put(store, *chunks[:120])
put(store, *chunks[100:])
put(store, *chunks[90:130], again=True)
os._exit(9)
"""


def test_a_crash_amid_inserting_again_loses_and_doubles_nothing(tmp_path: Path, store: MilvusStore) -> None:
    path = tmp_path / "new folder" / "milvus.db"
    done = subprocess.run([sys.executable, "-c", CRASHING, str(path)], check=False)
    assert done.returncode == 9
    expected = sorted(a_chunk(ordinal=n).chunk_id for n in range(150))
    assert sorted(store.chunk_ids(STORE)) == expected
    assert sorted(match.chunk.chunk_id for match in dense(store, "apple", limit=200)) == expected
    assert sorted(match.chunk.chunk_id for match in keyword(store, "apple", limit=200)) == expected


def test_a_collection_of_an_earlier_release_still_works(
    store: MilvusStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    earlier = {name: length for name, length in STRINGS.items() if name not in NEW_FIELDS}
    with monkeypatch.context() as context:
        context.setattr("rag.adapters.milvus.schema.STRINGS", earlier)
        store.create(STORE, EMBEDDER.dimensions, EMBEDDER.model_name)
    chunk = a_chunk("apple", header="| Fruit |", pages=(PageStart(0, 1),), page=1, places="[]")
    put(store, chunk)
    old = dataclasses.replace(chunk, header="", pages=(), places="")
    assert [match.chunk for match in dense(store, "apple")] == [old]
    assert store.chunks(STORE, [chunk.chunk_id]) == [old]
    assert [chunks for chunks, _ in store.pages(STORE, 10)] == [[old]]
    assert store.copy(STORE, chunk.version_id, "ver-2", file_id="file-2", attributes={}) == 1
    assert "reindex --store NAME --rebuild" in caplog.text


def test_an_alias_lasts_over_a_restart(store: MilvusStore) -> None:
    store.create(STORE, EMBEDDER.dimensions, EMBEDDER.model_name)
    put(store, a_chunk("apple"))
    store.point_alias("fruit", STORE)
    store.close()
    (matches,) = store.dense("fruit", EMBEDDER.vectors(["apple"]), 1)
    assert texts(matches) == ["apple"]


def test_a_taken_name_is_told_once(store: MilvusStore, caplog: pytest.LogCaptureFixture) -> None:
    for name in (STORE, "taken"):
        store.create(name, EMBEDDER.dimensions, EMBEDDER.model_name)
    for _ in range(2):
        store.point_alias("taken", STORE)
    (record,) = [record for record in caplog.records if record.name.startswith("rag.")]
    assert "rag_taken" in record.getMessage()


@pytest.mark.parametrize("name", ["", "a b", "a/b", "ä", "x" * 65, 'a"', "a;drop"])
def test_bad_store_names_are_refused(store: MilvusStore, name: str) -> None:
    with pytest.raises(InvalidRequest):
        store.exists(name)


def test_the_longest_texts_fit(store: MilvusStore) -> None:
    store.create(STORE, EMBEDDER.dimensions, EMBEDDER.model_name)
    longest = "🦄" * 16_383
    places = packed([TextRun(n, n + 1, 1, 1000, 1000, 2000, 2000) for n in range(len(longest))], 0)
    chunk = a_chunk(
        longest, places=places, filename="漢" * 509 + ".md", heading=" > ".join(["漢" * 200] * 6), context=longest
    )
    put(store, chunk)
    assert [match.chunk for match in dense(store, "x")] == [chunk]


def test_a_ping_does_not_wait_for_a_slow_search(store: MilvusStore) -> None:
    """The service would look dead as long as one client keeps Milvus Lite busy."""
    store.ping()
    connection = store.connection
    assert connection._answered_at <= time.monotonic()
    assert math.isfinite(connection._answered_at)
    connection._answered_at = time.monotonic() + 60  # on a slow machine, too
    with ThreadPoolExecutor(1) as pool, connection.access():
        pool.submit(store.ping).result(60)


def test_a_file_that_another_process_holds(tmp_path: Path, store: MilvusStore) -> None:
    store.ping()
    (path,) = tmp_path.rglob("milvus.db")
    script = (
        "import sys; from rag.adapters.milvus.store import MilvusStore; from rag.errors import SetupError\n"
        "try: MilvusStore(sys.argv[1]).ping()\n"
        "except SetupError as error: sys.exit(error.message)"
    )
    result = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "another process has it open" in result.stderr
    assert "RAG_STORE__URI" in result.stderr


def test_no_other_user_can_reach_the_embedded_server(tmp_path: Path) -> None:
    def sockets(kind: str) -> set[str]:
        return {str(c.laddr) for c in psutil.Process().net_connections(kind) if c.status in ("LISTEN", "NONE")}

    before = sockets("tcp"), sockets("unix")
    store = MilvusStore(str(tmp_path / "milvus.db"))
    store.ping()
    opened = [path for path in sockets("unix") - before[1] if "rag-milvus-" in path]
    assert sockets("tcp") <= before[0]
    assert opened
    assert stat.S_IMODE(Path(opened[0]).parent.stat().st_mode) == 0o700
    store.close()
    assert not Path(opened[0]).parent.exists()


def test_a_temporary_folder_with_a_long_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path of a Unix socket is limited to about 100 bytes."""
    (long := tmp_path / ("x" * 100)).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    store = MilvusStore(str(tmp_path / "milvus.db"))
    store.ping()
    store.close()


def test_a_server_that_does_not_answer() -> None:
    store = MilvusStore("http://root:hunter2@127.0.0.1:9", timeout_s=0.5)
    with pytest.raises(DependencyUnavailable, match=r"127\.0\.0\.1:9") as caught:
        store.ping()
    assert "hunter2" not in caught.value.message
    with pytest.raises(DependencyUnavailable):
        store.dense(STORE, EMBEDDER.vectors(["a"]), 1)
    store.close()


def test_a_path_that_cannot_be_a_store(tmp_path: Path) -> None:
    (tmp_path / "milvus.db").write_text("not a folder")
    with pytest.raises(SetupError):
        MilvusStore(str(tmp_path / "milvus.db")).ping()
