"""Custom retrievers: in sync with the vector store, and fused with the other paths."""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from rag.encoders import StoreEncoders
from rag.errors import InternalError, SetupError
from rag.ports import Vectors, VectorStore
from rag.retrieve.options import RetrieveOptions
from rag.retrieve.pipeline import RetrievalRequest
from rag.retrieve.query import QueryVector
from rag.retrieve.result import RetrievalResult
from rag.retrieve.search.custom_retrievers import CustomRetrievers, MirroredStore, load_retrievers
from rag.types import Chunk
from tests.fakes import FakeEmbedder, FakeEmbedders, FakeSnapshotReader, FakeVectorStore
from tests.support.builders import a_chunk, a_version_id
from tests.support.retrieval_harness import make_pipeline

DOCS = Path(__file__).parents[4] / "docs" / "custom_retrievers.md"
EXAMPLES = {m[2]: m[1] for m in re.finditer(r"```python\n(.*?class (\w+).*?)```", DOCS.read_text(), re.DOTALL)}


def example(name: str) -> Any:
    module = types.ModuleType("my_paths")
    exec(compile(EXAMPLES[name], f"{DOCS.name}:{name}", "exec"), module.__dict__)
    return getattr(module, name)


class LibraryHarness:
    """A vector store with one custom retriever, and a pipeline over both."""

    def __init__(self, make: Any) -> None:
        self.embedder, plain = FakeEmbedder(), FakeVectorStore()
        self.custom = CustomRetrievers(plain, {"mine": make})
        self.store = cast(VectorStore, MirroredStore(plain, self.custom))
        self.store.create("default", self.embedder.dimensions, self.embedder.model_name)
        encoders, options = StoreEncoders(FakeEmbedders(self.embedder)), RetrieveOptions(duplicates=1)
        self.snapshots = FakeSnapshotReader(plain)
        self.pipeline = make_pipeline(encoders, plain, self.snapshots, custom=self.custom, options=options)

    def add(self, *texts: str, filename: str = "a.md", **fields: Any) -> list[Chunk]:
        chunks = [a_chunk(text, filename=filename, ordinal=n, **fields) for n, text in enumerate(texts)]
        self.store.insert("default", chunks, self.embedder.vectors(texts))
        return chunks

    async def find(self, text: str, **options: Any) -> RetrievalResult:
        changes = {"weights": {"dense": 0, "keyword": 0}, "top_k": 3}
        return await self.pipeline.retrieve(RetrievalRequest(text, "default", changes, **options))

    async def texts(self, text: str, **options: Any) -> list[str]:
        return [hit.chunk.text for hit in (await self.find(text, **options)).hits]


@pytest.mark.parametrize("name", ["PrefixPath", "HnswPath"])
async def test_the_examples_of_the_docs_follow_every_change(name: str) -> None:
    harness = LibraryHarness(example(name))
    harness.add("valves of steel", "pumps of brass")
    assert (await harness.texts("valves"))[0] == "valves of steel"
    harness.add("valves of bronze, and valves of gold", filename="b.md", attributes={"kind": "new"})
    assert set(await harness.texts("valves")) >= {"valves of steel", "valves of bronze, and valves of gold"}
    wanted = {"type": "eq", "key": "kind", "value": "new"}
    assert await harness.texts("valves", filters=wanted) == ["valves of bronze, and valves of gold"]
    harness.store.delete("default", [a_version_id("a.md")])
    assert await harness.texts("valves") == ["valves of bronze, and valves of gold"]
    harness.store.copy("default", a_version_id("b.md"), "other", file_id="file-c", attributes={})
    (hit,) = (await harness.find("valves")).hits
    assert len(hit.duplicates) == 1


@pytest.mark.parametrize("name", ["PrefixPath", "HnswPath"])
async def test_its_results_are_restricted_to_the_groups_of_the_caller(name: str) -> None:
    harness = LibraryHarness(example(name))
    harness.add("valves of steel", filename="open.md")
    harness.add("valves of gold", filename="closed.md", read_groups=("hr",))
    for groups, found in ((None, 2), (("hr",), 2), (("it",), 1), ((), 1)):
        harness.snapshots.groups = groups
        assert len(await harness.texts("valves")) == found


@pytest.mark.parametrize("name", ["PrefixPath", "HnswPath"])
async def test_a_new_index_is_built_from_the_store(name: str) -> None:
    harness = LibraryHarness(example(name))
    harness.add("the needle", *(f"hay{n % 37} straw{n % 41} barn{n % 43}" for n in range(1200)))
    assert (await harness.texts("needle"))[0] == "the needle"


async def test_a_prefix_tree_matches_word_prefixes_that_no_other_path_matches() -> None:
    harness = LibraryHarness(example("PrefixPath"))
    harness.add("the thermostat is set", "nothing of that kind")
    assert await harness.texts("thermo") == ["the thermostat is set"]


async def test_its_ranks_are_fused_with_the_others() -> None:
    harness = LibraryHarness(example("PrefixPath"))
    harness.add("the thermostat", "a thermos", "a boat")
    found = await harness.pipeline.retrieve(RetrievalRequest("thermos", "default", {"top_k": 3}))
    assert found.hits[0].chunk.text == "a thermos"
    assert found.hits[0].ranks.keys() == {"dense", "keyword", "mine"}


class Failing:
    """A custom retriever with configurable failures."""

    fails: str = ""
    made = 0

    def __init__(self) -> None:
        Failing.made += 1
        self.known: list[str] = []

    def update(self, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        self._maybe("update")
        self.known += [chunk.chunk_id for chunk in chunks]

    def remove(self, chunk_ids: Sequence[str]) -> None:
        self._maybe("remove")

    def query(self, text: str, vector: QueryVector, limit: int) -> Sequence[tuple[str, float]]:
        self._maybe("query")
        return [(chunk_id, 1.0) for chunk_id in self.known]

    def _maybe(self, name: str) -> None:
        if Failing.fails == name:
            raise ZeroDivisionError("in the user's code")


@pytest.fixture
def failing() -> Iterator[type[Failing]]:
    Failing.fails, Failing.made = "", 0
    yield Failing
    Failing.fails = ""


async def test_a_failing_retriever_is_named(failing: type[Failing]) -> None:
    harness = LibraryHarness(failing)
    harness.add("one")
    failing.fails = "query"
    with pytest.raises(InternalError, match="mine"):
        await harness.find("one")
    failing.fails = ""
    assert await harness.texts("one") == ["one"]


@pytest.mark.parametrize("change", ["update", "remove"])
async def test_a_failed_change_does_not_fail_the_upload_and_the_index_is_rebuilt(
    failing: type[Failing], change: str
) -> None:
    harness = LibraryHarness(failing)
    harness.add("one")
    assert await harness.texts("one") == ["one"]
    failing.fails = change
    harness.add("two", filename="b.md")
    harness.store.delete("default", [a_version_id("a.md")])
    failing.fails = ""
    assert await harness.texts("x") == ["two"]
    assert failing.made == 2


def test_paths_are_loaded_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("my_paths")
    module.PrefixPath = example("PrefixPath")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "my_paths", module)
    assert load_retrievers({"names": "my_paths:PrefixPath"}) == {"names": module.PrefixPath}


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({"dense": "collections:Counter"}, "'dense' is not a valid path name"),
        ({"My Path": "collections:Counter"}, "is not a valid path name"),
        ({"mine": "no_such_module:Path"}, "no_such_module"),
        ({"mine": "collections:NoSuchClass"}, "NoSuchClass"),
        ({"mine": "collections"}, "module:Class"),
        ({"mine": "collections:OrderedDict"}, "no method remove, query"),
    ],
)
def test_an_unusable_custom_retriever_is_a_setup_error(named: dict[str, str], said: str) -> None:
    with pytest.raises(SetupError, match=re.escape(said)):
        load_retrievers(named)
