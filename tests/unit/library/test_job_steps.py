"""What a job is doing, as it is stored and sent."""

from __future__ import annotations

import pytest

from rag.records.job_step import JobStep


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (JobStep.of("reading", name="guide.pdf"), "reading guide.pdf"),
        (JobStep.of("embedding", name="a, passage 3 of 4.md"), "embedding a, passage 3 of 4.md"),
        (
            JobStep.of("generating_questions", name="a b.md", passage=3, passages=40),
            "generating questions for a b.md, passage 3 of 40",
        ),
        (JobStep.of("creating_index", name="i1"), "creating the index i1"),
        (JobStep.of("reindexing", name="intfloat/e5"), "rebuilding the index with intfloat/e5"),
        (JobStep.of("reading", name="two\nlines.md"), "reading two\nlines.md"),
    ],
)
def test_a_step_is_found_again_in_its_text(step: JobStep, text: str) -> None:
    assert step.text == text
    assert JobStep.parse(text) == step


@pytest.mark.parametrize("text", ["", "counting sheep"])
def test_other_texts_have_no_code(text: str) -> None:
    assert JobStep.parse(text) == JobStep(text)
