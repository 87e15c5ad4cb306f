"""Which hits contain exactly what a question names."""

from __future__ import annotations

import pytest

from rag.retrieve.ranking.exact_matches import mark_exact_matches
from rag.retrieve.ranking.question_words import is_identifier, question_words
from rag.types import Hit
from tests.support.builders import a_chunk

LOG = (
    "At 03:20 the panel showed fault QX-7731-B and the line stopped. Grzybowski said hello and thanks to the crew. "
    "See RFC7231, error 404 and version 4.1.7; getUserName() of the C# bindings was slow in Zürich. Code 19530."
)
MENU = "Good morning! The canteen serves soup on Mondays and pasta on Tuesdays, version 4.1.70, with C++ and QX-7731."


def hits(*texts: str) -> list[Hit]:
    return [Hit(a_chunk(text, filename=f"{number}.md"), 0.5, 0.1) for number, text in enumerate(texts)]


def exact(question: str, *texts: str) -> list[str]:
    candidates = hits(*texts)
    return [hit.chunk.text for hit in mark_exact_matches(candidates, question, candidates) if hit.is_exact]


@pytest.mark.parametrize(
    "question",
    [
        "What is QX-7731-B?",
        "QX-7731-B",
        "qx-7731-b",
        "QX7731B",
        "QX 7731 B",
        "And QX-7731-B's cause?",
        "Was bedeutet QX-7731-B?",
        "QX-7731-Bとは何ですか",
        "Which electrician repaired the fault QX-7731-B in hall four last Monday?",
        "RFC 7231",
        "What does RFC-7231 say?",
        "4.1.7",
        "What is new in 4.1.7?",
        "404",
        "What does error 404 mean?",
        "19530",
        "getUserName",
        "What does C# do?",
        "Grzybowski",
        "grzybowski?",
        "Who is Grzybowski?",
        "Wer ist Grzybowski?",
        "Where is ZURICH?",
    ],
)
def test_a_hit_with_what_the_question_names_is_exact(question: str) -> None:
    assert exact(question, LOG, MENU, "other") == [LOG]


@pytest.mark.parametrize(
    "question",
    [
        "",
        "?!",
        "hello",
        "Hello!",
        "thanks!",
        "Thank you very much",
        "hi there",
        "Good morning!",
        "Guten Morgen",
        "Merci beaucoup",
        "How are you?",
        "help",
        "Who is it?",
        "What is served on Mondays?",
        "Which soup is it?",
        "WHAT IS THE SOUP",
        "What did Grzybowski pay for the soup?",
        "QX-7731-C",
        "QX-77",
        "4.1",
        "What happened in 2019?",
        "Did the crew change in the mid-1990s?",
        "你好",
    ],
)
def test_other_questions_have_no_exact_hit(question: str) -> None:
    assert exact(question, LOG, MENU, "in 2019 or the mid-1990s 你好") == []


def test_a_word_that_is_the_whole_question_must_be_rare_among_the_candidates() -> None:
    assert exact("soup", LOG, MENU, "other") == [MENU]
    assert exact("soup", "soup one", "soup two", "other") == []
    assert exact("soup", "only soup") == ["only soup"]
    assert exact("Which soup?", LOG, MENU, "other") == []


def test_a_name_may_be_in_every_candidate() -> None:
    assert exact("Who is Grzybowski?", "Grzybowski one", "Grzybowski two") == ["Grzybowski one", "Grzybowski two"]
    assert exact("QX-7731-B", "QX-7731-B one", "QX-7731-B two") == ["QX-7731-B one", "QX-7731-B two"]


def test_file_names_headings_headers_and_the_larger_text_count() -> None:
    found = [
        Hit(a_chunk("a", heading="Fault QX-7731-B"), 0.5),
        Hit(a_chunk("b", context="b. QX-7731-B. c"), 0.5),
        Hit(a_chunk("c", filename="QX-7731-B.md"), 0.5),
        Hit(a_chunk("pressure: 4 bar", header="sku: QX-7731-B"), 0.5),
        Hit(a_chunk("d"), 0.5),
    ]
    marked = mark_exact_matches(found, "QX-7731-B", found)
    assert [hit.is_exact for hit in marked] == [True, True, True, True, False]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        *((word, True) for word in ("QX-7731-B", "E404", "AB1234", "v2.4", "4.1.7", "IVF_FLAT", "getUserName", "F#")),
        *((word, True) for word in (".NET", "g++", "550e8400-e29b-41d4", "19530", "COVID-19")),
        *((word, False) for word in ("2019", "3.5", "10kg", "1990s", "mid-1990s", "2nd", "B2", "state-of-the-art")),
        *((word, False) for word in ("Milvus", "McDonald", "GitHub", "IT", "2019-2020", "non-0", "404")),
    ],
)
def test_identifiers(word: str, expected: bool) -> None:
    assert is_identifier(word) is expected


def test_the_words_of_a_question() -> None:
    words = question_words("Please explain what the HNSW index of Milvus is.")
    assert (words.content, words.is_bare, words.has_name) == (("HNSW", "index", "Milvus"), False, True)
    assert question_words("pump station").is_bare
    assert question_words("What is IT?").content == ("IT",)
