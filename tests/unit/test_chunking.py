from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.ingest.chunking import MAX_CHUNK_CHARS, SECTION_CHARS, Chunker, passage_text
from rag.ingest.readers import read_document
from tests.builders import a_chunk, a_document

texts = st.text(st.sampled_from("ab .\n#-`*é🦄\u0301"), max_size=600)


@given(texts, st.booleans(), st.integers(1, 80), st.floats(0, 0.89))
@settings(max_examples=150, deadline=None)
def test_offsets_are_exact_and_nothing_is_lost(text: str, is_markdown: bool, chars: int, overlap: float) -> None:
    document = a_document(text, is_markdown=is_markdown)
    chunks = Chunker(chars, overlap).chunk(document)
    covered: set[int] = set()
    for chunk in chunks:
        assert document.text[chunk.start : chunk.end] == chunk.text
        assert chunk.text.strip()
        assert len(chunk.text) <= chars
        covered.update(range(chunk.start, chunk.end))
    assert all(index in covered for index, char in enumerate(text) if not char.isspace())


def test_chunks_carry_their_document() -> None:
    document = a_document("word " * 500, filename="a/b.md", attributes={"lang": "de"})
    chunks = Chunker(100, 0.1).chunk(document)
    assert [chunk.chunk_id for chunk in chunks[:2]] == [
        f"{document.file_id}-{document.content_hash[:12]}-000000",
        f"{document.file_id}-{document.content_hash[:12]}-000001",
    ]
    assert {(chunk.file_id, chunk.filename, chunk.content_hash) for chunk in chunks} == {
        (document.file_id, "a/b.md", document.content_hash)
    }
    assert all(chunk.attributes == {"lang": "de"} for chunk in chunks)


def test_overlap_repeats_the_end_of_the_chunk_before() -> None:
    text = " ".join(f"word{n}." for n in range(100))
    plain = Chunker(100, 0).chunk(a_document(text))
    overlapping = Chunker(100, 0.3).chunk(a_document(text))
    assert all(one.end <= two.start for one, two in pairwise(plain))
    assert all(one.end > two.start for one, two in pairwise(overlapping))


def test_a_chunk_is_under_the_heading_of_most_of_it() -> None:
    markdown = "before " * 20 + "\n\n# Index\n\n" + "intro " * 40 + "\n\n## HNSW\n\nM is the degree.\n\n" + "more " * 40
    document = read_document("default", "doc.md", markdown.encode(), {})
    chunks = Chunker(120, 0).chunk(document)
    headings = [chunk.heading for chunk in chunks]
    assert headings == sorted(headings, key=["", "Index", "Index > HNSW"].index)
    assert set(headings) == {"", "Index", "Index > HNSW"}
    for chunk in chunks:
        middle = chunk.text[len(chunk.text) // 2 :].split()[0]
        assert chunk.heading == {"before": "", "intro": "Index", "more": "Index > HNSW"}.get(middle, chunk.heading)


def test_the_encoder_sees_the_heading_above_the_text() -> None:
    assert passage_text(a_chunk("text", heading="Index > HNSW")) == "Index > HNSW\ntext"
    assert passage_text(a_chunk("text")) == "text"


def test_blank_documents_have_no_chunks() -> None:
    assert Chunker().chunk(a_document(" \n\n \t ")) == []


def test_no_chunk_is_larger_than_the_store_takes() -> None:
    chunks = Chunker(16_384, 0).chunk(a_document("🦄" * 40_000))
    assert max(len(chunk.text.encode()) for chunk in chunks) <= 4 * MAX_CHUNK_CHARS


@pytest.mark.parametrize("is_markdown", [True, False])
@pytest.mark.parametrize(
    "text",
    ["word " * 100_000, "x" * 200_000, "a" + "\n" * 500_000 + "b", "a" + "\n" * (SECTION_CHARS // 2), "[" * 300_000],
    ids=["one line", "one word", "newlines", "newlines at the end", "brackets"],
)
def test_hostile_texts_take_no_time(text: str, is_markdown: bool) -> None:
    began = time.monotonic()
    Chunker(512, 0.1).chunk(a_document(text, is_markdown=is_markdown))
    assert time.monotonic() - began < 4
