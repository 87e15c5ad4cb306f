"""Parts of documents' texts, the passages they are cut into, and lists by name."""

from __future__ import annotations

from dataclasses import replace

from rag.http.bodies.wire import RectangleOut
from rag.http.v1.documents.objects.document import content_object, passage_object
from rag.records import DocumentRecord
from rag.types import Extract, Heading, PageStart, TextRun
from tests.support.builders import a_chunk
from tests.support.v1.v1_client import V1, error_of


async def added(app: V1, text: bytes) -> str:
    """The ID of a document with this text, which has been processed."""
    async with app.openai() as client:
        file = await client.files.create(file=("0.md", text), purpose="assistants")
        await client.vector_stores.files.create("default", file_id=file.id)
    await app.finished()
    return file.id


async def test_a_part_of_a_documents_text(app: V1) -> None:
    path = f"/vector_stores/default/files/{await added(app, 'Zürich lies on a lake'.encode())}/content"
    async with app.http() as http:
        for query, text, start, end in (
            ("", "Zürich lies on a lake", 0, 21),
            ("?start=1&end=6", "ürich", 1, 6),
            ("?start=17", "lake", 17, 21),
            ("?end=900", "Zürich lies on a lake", 0, 21),
            ("?start=900", "", 21, 21),
        ):
            page = (await http.get(path + query)).json()
            assert page["data"] == [{"type": "text", "text": text}]
            assert (page["start"], page["end"], page["total_chars"]) == (start, end, 21)
            assert page["is_markdown"] is False
        for query in ("?start=5&end=4", "?start=-1", "?end=x", "?from=1"):
            assert error_of(await http.get(path + query))[0] == 400


def test_a_part_tells_its_heading_page_and_places() -> None:
    document = DocumentRecord("doc-1", "default", "file-1", "a.pdf", "completed", 0.0)
    runs = (TextRun(0, 5, 1, 10.0, 20.0, 60.0, 30.0), TextRun(6, 16, 2, 10.0, 40.0, 110.0, 50.0))
    extract = Extract(
        "First second one", "application/pdf", headings=(Heading(0, "A"), Heading(6, "A > B")),
        pages=(PageStart(0, 1), PageStart(6, 2)), runs=runs,
    )  # fmt: skip
    part = content_object(document, extract, 8, 16)
    assert (part.data[0].text, part.heading, part.page) == ("cond one", "A > B", 2)
    assert part.rectangles == [RectangleOut(page=2, x0=30.0, y0=40.0, x1=110.0, y1=50.0)]
    assert content_object(document, extract, None, None).rectangles is None


async def test_the_passages_of_a_document_in_their_order(app: V1) -> None:
    words = " ".join(f"word{number}" for number in range(400))
    path = f"/vector_stores/default/files/{await added(app, words.encode())}/passages"
    async with app.http() as http:
        everything = (await http.get(f"{path}?limit=100")).json()
        passages = everything["data"]
        assert len(passages) > 2
        assert everything["has_more"] is False
        assert [words[each["start"] : each["end"]] for each in passages] == [each["text"] for each in passages]
        assert [each["start"] for each in passages] == sorted(each["start"] for each in passages)
        first = (await http.get(f"{path}?limit=2")).json()
        assert (first["data"], first["has_more"]) == (passages[:2], True)
        rest = (await http.get(f"{path}?limit=100&after={first['last_id']}")).json()
        assert (rest["data"], rest["has_more"]) == (passages[2:], False)
        assert error_of(await http.get(f"{path}?after=nothing"))[:2] == (400, "invalid_request")


async def test_the_versions_of_a_document_newest_first(app: V1) -> None:
    first, second = await added(app, b"one"), await added(app, b"two")
    path = f"/vector_stores/default/files/{second}/versions"
    async with app.http() as http:
        both = (await http.get(path)).json()
        assert [(each["id"], each["status"], each["searchable"]) for each in both["data"]] == [
            (second, "completed", True),
            (first, "completed", False),
        ]
        newest = (await http.get(f"{path}?limit=1")).json()
        assert (newest["data"], newest["has_more"]) == (both["data"][:1], True)
        older = (await http.get(f"{path}?limit=1&before_version={both['data'][0]['version']}")).json()
        assert (older["data"], older["has_more"]) == (both["data"][1:], False)
        assert error_of(await http.get(f"{path}?before_version=0"))[:2] == (400, "invalid_request")
        assert (await http.get("/vector_stores/default/files/nothing/versions")).status_code == 404


def test_a_generated_question_is_told_from_a_passage() -> None:
    passage = a_chunk("The pump has two valves.")
    pair = replace(passage, text="How many valves has the pump?\ntwo", context=passage.text)
    part = replace(passage, text="two valves", context=passage.text)
    assert [passage_object(each).is_generated for each in (passage, pair, part)] == [False, True, False]


async def test_documents_are_found_and_sorted_by_name(app: V1) -> None:
    ids = {}
    async with app.openai() as client, app.http() as http:
        for name in ("Notes/b.md", "notes/a_1.md", "other.md", "Äpfel.md"):
            file = await client.files.create(file=(name, b"text"), purpose="assistants")
            ids[name] = file.id
        await client.vector_stores.file_batches.create("default", file_ids=list(ids.values()))
        await app.finished()

        async def names(query: str) -> list[str]:
            listed = await http.get(f"/vector_stores/default/files?{query}")
            assert listed.status_code == 200, listed.text
            return [each["filename"] for each in listed.json()["data"]]

        in_order = ["Notes/b.md", "notes/a_1.md", "other.md", "Äpfel.md"]
        assert await names("sort=filename&order=asc") == in_order
        assert await names("sort=filename&order=desc") == in_order[::-1]
        assert await names(f"sort=filename&order=asc&limit=2&after={ids['Notes/b.md']}") == in_order[1:3]
        assert await names(f"sort=filename&order=asc&limit=1&before={ids['other.md']}") == ["notes/a_1.md"]
        assert await names("name=NOTES&order=asc") == ["Notes/b.md", "notes/a_1.md"]
        assert await names("name=%C3%84pf") == ["Äpfel.md"]
        assert await names("name=_1.") == ["notes/a_1.md"]
        assert await names("name=s/_") == []
        assert error_of(await http.get("/vector_stores/default/files?sort=size"))[::2] == (400, "sort")
