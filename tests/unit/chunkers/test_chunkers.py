from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from rag.adapters.sentence_transformers.tokenization.tokenizer import encoder_tokenizer
from rag.chunkers import (
    MAX_CHARS,
    Chunker,
    ParentChildStrategy,
    RecursiveStrategy,
    SentenceStrategy,
    StructureStrategy,
    TokenStrategy,
    chunker_for,
)
from rag.chunkers.parent_child import ParentChildChunker
from rag.chunkers.recursive import RecursiveChunker
from rag.chunkers.sentences import SentenceChunker, sentence_spans
from rag.chunkers.structure import StructureChunker, blocks
from rag.chunkers.tokens import TokenChunker
from rag.errors import SetupError
from rag.types import Extract, Heading, PageStart, Passage
from tests.fakes import FakeTokenCounter


def count(text: str) -> int:
    return len(FakeTokenCounter().encode(text, add_special_tokens=False).offsets)


PARTS = ["# A\n", "\n", "\n\n", "- item\n", "  - sub\n", "| a | b |\n", "|---|---|\n", "```\n", "\x01" * 40, "1. one\n"]
PARTS += ["This is a sentence. ", "Dr. No said. ", "これは文です。", "word " * 12, "no\u00a0space", " " * 40, "---\n"]
texts = st.one_of(
    st.text(st.sampled_from("ab .\n#-`*|é🦄\u0301。「」"), max_size=400),
    st.lists(st.sampled_from(PARTS), max_size=40).map("".join),
)


@st.composite
def extracts(draw: st.DrawFn) -> Extract:
    text = draw(texts)
    places = st.lists(st.integers(0, max(len(text) - 1, 0)), unique=True, max_size=5).map(sorted)
    heads = {match.start() for match in re.finditer(r"^# A", text, re.MULTILINE)} if draw(st.booleans()) else set()
    headings = sorted(heads | set(draw(places)) if text else [])
    return Extract(
        text,
        "text/markdown",
        is_markdown=draw(st.booleans()),
        headings=tuple(Heading(start, f"heading {start}") for start in headings),
        pages=tuple(PageStart(start, number) for number, start in enumerate(draw(places), 1)) if text else (),
    )


def pages_with_most(extract: Extract, passage: Passage) -> set[int | None]:
    """The pages that hold most characters of a passage; each of them if several hold the same number."""
    if not extract.pages:
        return {None}
    counts: dict[int | None, int] = {}
    for offset in range(passage.start, passage.end):
        started = [page.number for page in extract.pages if page.start <= offset] or [extract.pages[0].number]
        counts[started[-1]] = counts.get(started[-1], 0) + (not extract.text[offset].isspace())
    return {number for number, count in counts.items() if count == max(counts.values())}


def check(extract: Extract, passages: Sequence[Passage], *, max_chars: int = MAX_CHARS) -> None:
    covered: set[int] = set()
    for passage in passages:
        assert extract.text[passage.start : passage.end] == passage.text
        assert passage.text == passage.text.strip() != ""
        assert len(passage.text) <= max_chars
        assert passage.page in pages_with_most(extract, passage)
        covered.update(range(passage.start, passage.end))
    assert all(index in covered for index, char in enumerate(extract.text) if not char.isspace())
    assert all(one.start < two.start and one.end <= two.end for one, two in pairwise(passages))


def check_headings(extract: Extract, passages: Sequence[Passage]) -> None:
    for passage in passages:
        middle = (passage.start + passage.end) // 2
        assert passage.heading == next((h.path for h in reversed(extract.headings) if h.start <= middle), "")


few = settings(max_examples=40, deadline=None)


@given(extracts(), st.integers(1, 80), st.integers(0, 40))
@few
def test_recursive_passages(extract: Extract, chars: int, overlap: int) -> None:
    passages = RecursiveChunker(chars, min(overlap, chars // 2)).chunk(extract)
    check(extract, passages, max_chars=chars)
    check_headings(extract, passages)


@given(extracts(), st.integers(2, 30), st.integers(0, 15))
@few
def test_passages_of_tokens(extract: Extract, tokens: int, overlap: int) -> None:
    passages = TokenChunker(FakeTokenCounter(), tokens, min(overlap, tokens // 2)).chunk(extract)
    check(extract, passages)
    check_headings(extract, passages)
    assert all(count(passage.text) <= tokens for passage in passages)
    for one, two in pairwise(passages):
        assert count(extract.text[two.start : max(one.end, two.start)]) <= overlap


@given(extracts(), st.integers(1, 80), st.integers(0, 3))
@few
def test_passages_of_sentences(extract: Extract, chars: int, overlap: int) -> None:
    passages = SentenceChunker(chars, overlap).chunk(extract)
    check(extract, passages, max_chars=chars)
    check_headings(extract, passages)
    spans = list(sentence_spans(extract.text, extract.headings))
    if all(end - start <= chars for start, end in spans):
        assert {passage.start for passage in passages} <= {start for start, _ in spans}
        assert {passage.end for passage in passages} <= {end for _, end in spans}
        for one, two in pairwise(passages):
            assert sum(two.start <= start < one.end for start, _ in spans) <= overlap


@given(extracts(), st.integers(4, 80))
@few
def test_passages_along_the_structure(extract: Extract, chars: int) -> None:
    passages = StructureChunker(chars).chunk(extract)
    check(extract, passages, max_chars=chars)
    assert all(one.end <= two.start for one, two in pairwise(passages))
    found = list(blocks(extract.text, extract.headings))
    for block in found:
        if block.end - block.start <= chars:
            assert any(p.start <= block.start and block.end <= p.end for p in passages)
    for passage in passages:
        inside = [block.is_heading for block in found if block.start < passage.end and passage.start < block.end]
        assert inside == sorted(inside, reverse=True), "no heading after another's text"
        assert passage.heading == next((h.path for h in reversed(extract.headings) if h.start < passage.end), "")


@given(extracts(), st.integers(1, 20), st.integers(20, 80))
@few
def test_parents_contain_their_children(extract: Extract, child_chars: int, parent_chars: int) -> None:
    passages = ParentChildChunker(child_chars, parent_chars).chunk(extract)
    check(extract, passages, max_chars=child_chars)
    check_headings(extract, passages)
    parents = {passage.text for passage in RecursiveChunker(parent_chars, 0).chunk(extract)}
    for passage in passages:
        assert (passage.context or passage.text) in parents
        assert passage.text in (passage.context or passage.text)
        assert passage.context != passage.text


def test_recursive_overlap_repeats_the_end_of_the_passage_before() -> None:
    extract = Extract(" ".join(f"word{n}." for n in range(100)), "text/plain")
    assert all(one.end <= two.start for one, two in pairwise(RecursiveChunker(100, 0).chunk(extract)))
    assert all(one.end > two.start for one, two in pairwise(RecursiveChunker(100, 30).chunk(extract)))


def test_token_passages_are_full_overlap_and_start_at_sentences() -> None:
    text = " ".join(f"Sentence {n} has six words." for n in range(200))
    passages = TokenChunker(FakeTokenCounter(), 60, 30).chunk(Extract(text, "text/plain"))
    assert all(passage.text.startswith("Sentence") and passage.text.endswith(".") for passage in passages)
    assert all(count(passage.text) >= 40 for passage in passages[:-1])
    assert all(count(text[two.start : one.end]) >= 15 for one, two in pairwise(passages))


@pytest.mark.parametrize("text", ["x" * 100_000, "\x01" * 100_000, "a" + " " * 100_000 + "b", "🦄" * 40_000])
def test_what_has_few_tokens_still_has_small_passages(text: str) -> None:
    extract = Extract(text, "text/plain")
    passages = TokenChunker(FakeTokenCounter(), 4_096, 2_048).chunk(extract)
    check(extract, passages)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dr. Smith met J. Doe. They ate.", ["Dr. Smith met J. Doe.", "They ate."]),
        ("Use e.g. HNSW, i.e. a graph. Or not!", ["Use e.g. HNSW, i.e. a graph.", "Or not!"]),
        ("See Fig. 3 and No. 5 of v. 2. It is 3.14.", ["See Fig. 3 and No. 5 of v. 2.", "It is 3.14."]),
        ('"Really?" she said. "Yes." He left.', ['"Really?" she said.', '"Yes."', "He left."]),
        ("Das gilt z. B. für Abs. 3 bzw. Nr. 4. Ende.", ["Das gilt z. B. für Abs. 3 bzw. Nr. 4.", "Ende."]),
        ("第一句话。第二句话！第三", ["第一句话。", "第二句话！", "第三"]),
        ("「はい。」と言った。次です。", ["「はい。」", "と言った。", "次です。"]),
        ("a line that\ngoes on. Then\nends", ["a line that\ngoes on.", "Then\nends"]),
        ("one\n\ntwo\n- three\n- four\n1. five", ["one", "two", "- three", "- four", "1. five"]),
        ("no marks at all", ["no marks at all"]),
        ("", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in sentence_spans(text)] == expected


def test_a_heading_is_a_sentence() -> None:
    text = "Introduction\nThis is text."
    assert list(sentence_spans(text, [Heading(0, "Introduction")])) == [(0, 12), (13, 26)]


MARKDOWN = """Before.

# Index

An index is fast.
It takes memory.

| a | b |
|---|---|
| 1 | 2 |

```python
x = 1

# no heading
```

- one
  goes on

  with more
  - below
- two

## Empty

### Deep

End."""
HEADINGS = tuple(Heading(MARKDOWN.index(f"\n{title}\n") + 1, title) for title in ("# Index", "## Empty", "### Deep"))


def test_blocks() -> None:
    found = [MARKDOWN[block.start : block.end] for block in blocks(MARKDOWN, HEADINGS)]
    assert found == [
        "Before.",
        "# Index",
        "An index is fast.\nIt takes memory.",
        "| a | b |\n|---|---|\n| 1 | 2 |",
        "```python\nx = 1\n\n# no heading\n```",
        "- one\n  goes on\n\n  with more\n  - below",
        "- two",
        "## Empty",
        "### Deep",
        "End.",
    ]


def test_structure_passages() -> None:
    passages = StructureChunker(75).chunk(Extract(MARKDOWN, "text/markdown", True, HEADINGS))
    assert [(passage.heading, passage.text) for passage in passages] == [
        ("", "Before."),
        ("# Index", "# Index\n\nAn index is fast.\nIt takes memory.\n\n| a | b |\n|---|---|\n| 1 | 2 |"),
        ("# Index", "```python\nx = 1\n\n# no heading\n```\n\n- one\n  goes on\n\n  with more\n  - below"),
        ("# Index", "- two"),
        ("### Deep", "## Empty\n\n### Deep\n\nEnd."),
    ]


def test_a_long_paragraph_starts_under_its_heading() -> None:
    extract = Extract("# Title\n\n" + "word " * 100, "text/markdown", True, (Heading(0, "Title"),))
    passages = StructureChunker(64).chunk(extract)
    assert passages[0].text.startswith("# Title\n\nword word")
    check(extract, passages, max_chars=64)


def test_a_passage_over_two_pages_is_on_the_page_with_most_of_it() -> None:
    extract = Extract("Scope\n\nThe valve closes at once.", "application/pdf", pages=(PageStart(0, 1), PageStart(7, 2)))
    assert [passage.page for passage in RecursiveChunker().chunk(extract)] == [2]


def test_pages_and_headings() -> None:
    extract = Extract(
        "aaaa bbbb cccc", "application/pdf", headings=(Heading(5, "B"),), pages=(PageStart(0, 1), PageStart(8, 2))
    )
    passages = RecursiveChunker(5, 0).chunk(extract)
    assert [(p.text, p.heading, p.page) for p in passages] == [("aaaa", "", 1), ("bbbb", "B", 1), ("cccc", "B", 2)]


EVERY_STRATEGY = [
    RecursiveStrategy(MAX_CHARS, 0),
    TokenStrategy(4_096, 2_048),
    SentenceStrategy(MAX_CHARS, 10),
    StructureStrategy(MAX_CHARS),
    ParentChildStrategy(parent_chars=MAX_CHARS, child_chars=64),
]


@pytest.mark.parametrize("strategy", EVERY_STRATEGY, ids=lambda strategy: type(strategy).__name__)
def test_no_passage_and_no_context_is_larger_than_the_store_takes(strategy: Any) -> None:
    chunker: Chunker = chunker_for(strategy, FakeTokenCounter())
    for passage in chunker.chunk(Extract("🦄" * 40_000, "text/plain")):
        assert len(passage.text.encode()) <= 65_535
        assert len(passage.context.encode()) <= 65_535
    assert chunker.chunk(Extract(" \n\n \t ", "text/plain")) == []
    assert chunker.chunk(Extract("", "text/plain")) == []


def heading_lines(lines: int) -> Extract:
    line = "# Heading\n"
    return Extract(line * lines, "text/markdown", True, tuple(Heading(n * len(line), "Heading") for n in range(lines)))


HOSTILE: list[Callable[[], Extract]] = [
    lambda: Extract("word " * 10_000, "text/plain"),
    lambda: Extract("a" + "\n" * 32_768, "text/plain"),
    lambda: Extract("x" * 100_000, "text/plain"),
    lambda: Extract("." * 100_000 + "x", "text/plain"),
    lambda: Extract(".'" * 20_000, "text/plain"),
    lambda: Extract("- a\n" * 10_000, "text/markdown", True),
    lambda: Extract("[" * 100_000, "text/markdown", True),
    lambda: heading_lines(5_000),
]


@pytest.mark.parametrize("strategy", EVERY_STRATEGY, ids=lambda strategy: type(strategy).__name__)
def test_hostile_texts_take_no_time(strategy: Any) -> None:
    chunker = chunker_for(strategy, FakeTokenCounter())
    for make in HOSTILE:
        extract = make()
        began = time.thread_time()
        chunker.chunk(extract)
        assert time.thread_time() - began < 10  # of CPU: other processes do not count


def test_the_encoders_tokenizer_counts_all_tokens(tmp_path: Path) -> None:
    stored = Tokenizer(models.WordLevel({"[UNK]": 0, "word": 1}, unk_token="[UNK]"))
    stored.pre_tokenizer = pre_tokenizers.Whitespace()
    stored.enable_truncation(2)
    stored.enable_padding(length=8)
    stored.save(str(tmp_path / "tokenizer.json"))
    tokenizer = encoder_tokenizer(str(tmp_path))
    assert len(tokenizer.encode("word " * 5)) == 5
    extract = Extract("word " * 500, "text/plain")
    passages = TokenChunker(tokenizer, 100, 0).chunk(extract)
    check(extract, passages)
    assert [len(tokenizer.encode(passage.text)) for passage in passages] == [100] * 5


def test_a_model_without_a_tokenizer_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"has no tokenizer\.json"):
        encoder_tokenizer(str(tmp_path))
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(SetupError, match="cannot be read"):
        encoder_tokenizer(str(tmp_path))
