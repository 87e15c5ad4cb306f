"""Search paths of the user's own: level with the vector store, and fused with the others."""

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
from rag.retrieve.result import RetrievalResult
from rag.retrieve.search.custom_retrievers import CustomRetrievers, MirroredStore, Vector, load_retrievers
from rag.types import Chunk
from tests.fakes import FakeEmbedder, FakeEmbedders, FakeVectorStore, FakeViews
from tests.support.builders import a_chunk, a_version_id
from tests.support.retrieval_harness import a_finder

DOCS = Path(__file__).parents[3] / "docs" / "custom_retrievers.md"
EXAMPLES = {m[2]: m[1] for m in re.finditer(r"```python\n(.*?class (\w+).*?)```", DOCS.read_text(), re.DOTALL)}


def example(name: str) -> Any:
    module = types.ModuleType("my_paths")
    exec(compile(EXAMPLES[name], f"{DOCS.name}:{name}", "exec"), module.__dict__)
    return getattr(module, name)


class House:
    """A vector store with one path of the user's own, and a finder over both."""

    def __init__(self, make: Any) -> None:
        self.embedder, plain = FakeEmbedder(), FakeVectorStore()
        self.own = CustomRetrievers(plain, {"mine": make})
        self.store = cast(VectorStore, MirroredStore(plain, self.own))
        self.store.create("default", self.embedder.dimensions, self.embedder.model_name)
        encoders, options = StoreEncoders(FakeEmbedders(self.embedder)), RetrieveOptions(duplicates=1)
        self.finder = a_finder(encoders, plain, FakeViews(plain), own=self.own, options=options)

    def add(self, *texts: str, filename: str = "a.md", **fields: Any) -> list[Chunk]:
        chunks = [a_chunk(text, filename=filename, ordinal=n, **fields) for n, text in enumerate(texts)]
        self.store.insert("default", chunks, self.embedder.vectors(texts))
        return chunks

    async def find(self, text: str, **options: Any) -> RetrievalResult:
        changes = {"weights": {"dense": 0, "keyword": 0}, "top_k": 3}
        return await self.finder.find(RetrievalRequest(text, "default", changes, **options))

    async def texts(self, text: str, **options: Any) -> list[str]:
        return [hit.chunk.text for hit in (await self.find(text, **options)).hits]


@pytest.mark.parametrize("name", ["PrefixPath", "HnswPath"])
async def test_the_examples_of_the_docs_follow_every_change(name: str) -> None:
    house = House(example(name))
    house.add("valves of steel", "pumps of brass")
    assert (await house.texts("valves"))[0] == "valves of steel"
    house.add("valves of bronze, and valves of gold", filename="b.md", attributes={"kind": "new"})
    assert set(await house.texts("valves")) >= {"valves of steel", "valves of bronze, and valves of gold"}
    wanted = {"type": "eq", "key": "kind", "value": "new"}
    assert await house.texts("valves", filters=wanted) == ["valves of bronze, and valves of gold"]
    house.store.delete("default", [a_version_id("a.md")])
    assert await house.texts("valves") == ["valves of bronze, and valves of gold"]
    house.store.copy("default", a_version_id("b.md"), "other", file_id="file-c", attributes={})
    (hit,) = (await house.find("valves")).hits
    assert len(hit.duplicates) == 1


@pytest.mark.parametrize("name", ["PrefixPath", "HnswPath"])
async def test_an_index_that_was_not_there_takes_in_what_the_store_has(name: str) -> None:
    house = House(example(name))
    house.add("the needle", *(f"hay{n % 37} straw{n % 41} barn{n % 43}" for n in range(1200)))
    assert (await house.texts("needle"))[0] == "the needle"


async def test_a_dictionary_tree_finds_by_beginnings_what_no_other_path_does() -> None:
    house = House(example("PrefixPath"))
    house.add("the thermostat is set", "nothing of that kind")
    assert await house.texts("thermo") == ["the thermostat is set"]


async def test_its_ranks_are_fused_with_the_others() -> None:
    house = House(example("PrefixPath"))
    house.add("the thermostat", "a thermos", "a boat")
    found = await house.finder.find(RetrievalRequest("thermos", "default", {"top_k": 3}))
    assert found.hits[0].chunk.text == "a thermos"
    assert found.hits[0].ranks.keys() == {"dense", "keyword", "mine"}


class Failing:
    """Fails at what it is told to."""

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

    def query(self, text: str, vector: Vector, limit: int) -> Sequence[tuple[str, float]]:
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


async def test_a_query_that_fails_is_named(failing: type[Failing]) -> None:
    house = House(failing)
    house.add("one")
    failing.fails = "query"
    with pytest.raises(InternalError, match="mine"):
        await house.find("one")
    failing.fails = ""
    assert await house.texts("one") == ["one"]


@pytest.mark.parametrize("change", ["update", "remove"])
async def test_a_change_that_fails_hurts_no_upload_and_is_made_up_for(failing: type[Failing], change: str) -> None:
    house = House(failing)
    house.add("one")
    assert await house.texts("one") == ["one"]
    failing.fails = change
    house.add("two", filename="b.md")
    house.store.delete("default", [a_version_id("a.md")])
    failing.fails = ""
    assert await house.texts("x") == ["two"]
    assert failing.made == 2


def test_paths_are_loaded_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("my_paths")
    module.PrefixPath = example("PrefixPath")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "my_paths", module)
    assert load_retrievers({"names": "my_paths:PrefixPath"}) == {"names": module.PrefixPath}


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({"dense": "collections:Counter"}, "'dense' is no name"),
        ({"My Path": "collections:Counter"}, "is no name"),
        ({"mine": "no_such_module:Path"}, "no_such_module"),
        ({"mine": "collections:NoSuchClass"}, "NoSuchClass"),
        ({"mine": "collections"}, "module:Class"),
        ({"mine": "collections:OrderedDict"}, "no method remove, query"),
    ],
)
def test_what_cannot_be_a_path_stops_the_start(named: dict[str, str], said: str) -> None:
    with pytest.raises(SetupError, match=re.escape(said)):
        load_retrievers(named)
