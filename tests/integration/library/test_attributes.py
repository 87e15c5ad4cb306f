from __future__ import annotations

import pytest

from rag.errors import DependencyUnavailable, InvalidRequest
from tests.support.library_harness import STORE, House, eventually

pytestmark = pytest.mark.integration


class TestAttributes:
    def test_they_change_without_embedding(self, house: House) -> None:
        house.ingest(("a.md", "apples"), ("b.md", "pears"), attributes={"lang": "en"})
        calls = len(house.embedders.default.calls)
        row = house.library.set_attributes(STORE, house.file_id("a.md"), {"lang": "de", "n": 1})
        assert row.attributes == {"lang": "de", "n": 1}
        assert len(house.embedders.default.calls) == calls
        german = {"type": "eq", "key": "lang", "value": "de"}
        assert house.texts("x", mode="keyword", filters=german) == []
        assert house.texts("apples", filters=german) == ["apples"]
        house.clean()
        assert house.rows() == ["apples", "pears"]

    def test_some_can_be_added_and_removed(self, house: House) -> None:
        house.ingest(("a.md", "apples"), attributes={"lang": "en", "year": 2020})
        known = house.file_id("a.md")
        row = house.library.set_attributes(STORE, known, {"year": 2024, "n": 1}, merge=True, removed=["lang"])
        assert row.attributes == {"year": 2024, "n": 1}
        with pytest.raises(InvalidRequest, match="16"):
            house.library.set_attributes(STORE, known, {f"k{n}": n for n in range(15)}, merge=True)

    def test_the_same_bytes_with_others_are_not_embedded_again(self, house: House) -> None:
        house.ingest(("a.md", "apples"))
        calls = len(house.embedders.default.calls)
        job = house.ingest(("a.md", "apples"), attributes={"n": 1})
        assert (job.state, job.file_counts.completed) == ("completed", 1)
        assert len(house.embedders.default.calls) == calls
        assert [hit.chunk.attributes for hit in house.search("apples").hits][-1] == {"n": 1}

    def test_while_a_new_version_is_on_its_way(self, house: House) -> None:
        house.ingest(("a.md", "apples"))
        house.embedders.default.failure = DependencyUnavailable("away")
        job = house.ingest(("a.md", "red apples"), wait=False)
        eventually(lambda: house.library.job(job.job_id).waiting_for != "")
        house.library.set_attributes(STORE, house.file_id("a.md"), {"n": 1})
        house.embedders.default.failure = None
        assert house.library.wait(job.job_id, 10).file_counts.completed == 1
        (hit,) = house.search("apples").hits
        assert (hit.chunk.text, hit.chunk.attributes) == ("red apples", {"n": 1})
