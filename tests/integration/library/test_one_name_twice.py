from __future__ import annotations

import pytest

from rag.errors import FileNotFound
from rag.records import Attachment
from tests.support.library_harness import ALL, STORE, House, eventually

pytestmark = pytest.mark.integration


class TestOneFileTakesThePlaceOfAnother:
    """Two files of one name in one store, as OpenAI's clients make them."""

    def attach(self, house: House, text: str, wait: bool = True) -> str:
        file = house.library.add_file(house.upload("a.md", text), "assistants")
        job = house.library.attach(STORE, [Attachment(file.file_id)])
        if wait:
            house.library.wait(job.job_id, 10)
        return file.file_id

    def test_once_it_is_there(self, house: House) -> None:
        old, new = self.attach(house, "apples"), self.attach(house, "pears")
        assert [row.file_id for row in house.library.documents(STORE, ALL).rows] == [new]
        with pytest.raises(FileNotFound):
            house.library.document(STORE, old)
        house.library.delete_file(old)
        assert house.texts("pears") == ["pears"]

    def test_not_when_it_cannot_be_read(self, house: House) -> None:
        old, new = self.attach(house, "apples"), self.attach(house, "broken")
        assert [hit.chunk.file_id for hit in house.search("apples").hits] == [old]
        assert house.library.document(STORE, old).status == "completed"
        assert house.library.document(STORE, new).status == "failed"
        house.library.delete_file(old)
        assert house.texts("apples") == []
        assert [row.file_id for row in house.library.documents(STORE, ALL).rows] == [new]
        house.library.delete_document(STORE, new)
        assert house.library.documents(STORE, ALL).rows == []

    def test_the_one_that_failed_can_go_alone(self, house: House) -> None:
        old, new = self.attach(house, "apples"), self.attach(house, "broken")
        house.library.delete_document(STORE, new)
        assert house.texts("apples") == ["apples"]
        assert [row.file_id for row in house.library.documents(STORE, ALL).rows] == [old]
        with pytest.raises(FileNotFound):
            house.library.document(STORE, new)

    def test_while_it_comes(self, house: House) -> None:
        old = self.attach(house, "apples")
        house.parser.gate.clear()
        new = self.attach(house, "pears", wait=False)
        assert house.library.document(STORE, new).status == "in_progress"
        house.library.delete_document(STORE, old)
        assert house.texts("apples") == []
        house.parser.gate.set()
        eventually(lambda: house.texts("pears") == ["pears"])
        assert house.library.document(STORE, new).status == "completed"
