"""Evaluation sets: the format, and what is said of one that is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evals import mtrag
from evals.harness.eval_set import WHOLE_DOCUMENT, EvalSet, InputError
from evals.harness.set_reader import read_set

OWL = {"_id": "o", "title": "Owl", "text": "It turns its head."}
GULL = {"_id": "g/1 é", "text": "It drinks salt water."}
QUERY = {"_id": "q1", "text": "Who drinks?"}
QUESTION = {"question": "Who turns?", "answers": ["the owl"], "gold_doc": "o"}
HEADER = "query-id\tcorpus-id\tscore"


def lines(path: Path, *rows: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A set that is right."""
    lines(tmp_path / "birds" / "corpus.jsonl", OWL, GULL)
    lines(tmp_path / "birds" / "queries.jsonl", QUERY)
    lines(tmp_path / "birds" / "qrels.tsv", HEADER, "q1\tg/1 é\t2", "q1\to\t0")
    lines(tmp_path / "birds" / "qa.jsonl", QUESTION)
    return tmp_path / "birds"


def test_a_corpus_of_lines(folder: Path) -> None:
    found = read_set(folder)
    assert (found.name, found.licence, found.chunking) == ("birds", "", WHOLE_DOCUMENT)
    owl, gull = found.documents
    assert (owl.doc_id, owl.filename, owl.content()) == ("o", "o.txt", b"Owl\nIt turns its head.")
    assert (gull.doc_id, gull.filename) == ("g/1 é", "g%2F1 %C3%A9.txt")
    assert [query.text for query in found.queries] == ["Who drinks?"]
    assert found.relevant == {"q1": {"g/1 é": 2, "o": 0}}
    (question,) = found.questions
    assert (question.question_id, question.answers, question.gold_doc) == ("line 1", ("the owl",), "o")


def test_a_folder_of_files_of_any_kind(tmp_path: Path) -> None:
    lines(tmp_path / "docs" / "en" / "owl.md", "# Owl")
    lines(tmp_path / "docs" / "old.md", "# Old")
    lines(tmp_path / "docs" / "picture.png", "no text")
    lines(tmp_path / "qa.jsonl", {"question": "Who?", "gold_doc": "en/owl.md"}, {"question": "?", "unanswerable": True})
    lines(tmp_path / "set.json", {"name": "pages", "exclude": ["old.md"], "licence": "MIT"})
    found = read_set(tmp_path)
    assert [(d.doc_id, d.filename, d.content()) for d in found.documents] == [("en/owl.md", "en/owl.md", b"# Owl\n")]
    assert (found.name, found.licence, found.chunking) == ("pages", "MIT", None)


def test_questions_with_a_gold_document_are_queries_where_there_are_none(folder: Path) -> None:
    (folder / "queries.jsonl").unlink()
    (folder / "qrels.tsv").unlink()
    lines(folder / "qa.jsonl", QUESTION, {"question": "?", "unanswerable": True, "gold_doc": "o"})
    found = read_set(folder)
    assert [query.query_id for query in found.queries] == ["line 1"]
    assert found.relevant == {"line 1": {"o": 1}}


def test_variants_of_the_default_names_are_found(folder: Path) -> None:
    for name, suffix in (("queries", "jsonl"), ("qrels", "tsv")):
        (folder / f"{name}.{suffix}").rename(folder / f"{name}_train.{suffix}")
    assert len(read_set(folder).queries) == 1
    lines(folder / "queries_test.jsonl", QUERY)
    with pytest.raises(InputError, match=r"queries in set.json to one of: queries_test.jsonl, queries_train.jsonl"):
        read_set(folder)
    lines(folder / "set.json", {"queries": "queries_train.jsonl"})
    assert len(read_set(folder).queries) == 1


def test_queries_without_a_relevant_document_are_left_out(folder: Path) -> None:
    lines(folder / "queries.jsonl", QUERY, {"_id": "q2", "text": "Who else?"}, {"_id": "q3", "text": "And who?"})
    lines(folder / "qrels.tsv", HEADER, "q1\to\t1", "q2\to\t0")
    assert [query.query_id for query in read_set(folder).queries] == ["q1"]


def test_the_callers_chunking_overrides_the_sets(folder: Path) -> None:
    lines(folder / "set.json", {"chunking_strategy": {"type": "sentences"}})
    assert read_set(folder).chunking == {"type": "sentences"}
    assert read_set(folder, {"type": "structure"}).chunking == {"type": "structure"}


WRONG = [
    ("corpus.jsonl", [OWL, "{"], "corpus.jsonl:2: invalid JSON"),
    ("corpus.jsonl", [OWL, "[1]"], "corpus.jsonl:2: must be a JSON object"),
    ("corpus.jsonl", [OWL, {"text": "x"}], "corpus.jsonl:2: _id is missing"),
    ("corpus.jsonl", [OWL, {"_id": 7, "text": "x"}], "corpus.jsonl:2: _id must be a string"),
    ("corpus.jsonl", [OWL, {"_id": "x", "title": " ", "text": "\n"}], "corpus.jsonl:2: title and text are both empty"),
    ("corpus.jsonl", [OWL, GULL, OWL], "corpus.jsonl:3: duplicate _id o"),
    ("corpus.jsonl", [OWL, {"_id": "x" * 600, "text": "x"}], "corpus.jsonl:2: _id is too long"),
    ("corpus.jsonl", [], "corpus.jsonl: is empty"),
    ("queries.jsonl", [QUERY, {"_id": "q2", "text": " "}], "queries.jsonl:2: text is empty"),
    ("queries.jsonl", [QUERY, QUERY], "queries.jsonl:2: duplicate _id q1"),
    ("qrels.tsv", ["q1\to\t1"], "qrels.tsv:1: missing header line"),
    ("qrels.tsv", [HEADER, "q1 o 1"], "qrels.tsv:2: must have three tab-separated cells"),
    ("qrels.tsv", [HEADER, "q9\to\t1"], "qrels.tsv:2: unknown query q9"),
    ("qrels.tsv", [HEADER, "q1\tx\t1"], "qrels.tsv:2: unknown document x"),
    ("qrels.tsv", [HEADER, "q1\to\thigh"], "qrels.tsv:2: score must be a non-negative integer"),
    ("qrels.tsv", [HEADER, "q1\to\t-1"], "qrels.tsv:2: score must be a non-negative integer"),
    ("qrels.tsv", [HEADER, "q1\to\t0"], "qrels.tsv: no query has a relevant document"),
    ("qa.jsonl", [QUESTION, {"question": "?", "answer": "x"}], "qa.jsonl:2: unknown field answer"),
    ("qa.jsonl", [QUESTION, {"question": "?"}], "qa.jsonl:2: answers, gold_doc or unanswerable is required"),
    ("qa.jsonl", [{**QUESTION, "answers": "owl"}], "qa.jsonl:1: answers must be a list of strings"),
    ("qa.jsonl", [{**QUESTION, "unanswerable": "no"}], "qa.jsonl:1: unanswerable must be true or false"),
    ("qa.jsonl", [{**QUESTION, "unanswerable": True}], "qa.jsonl:1: an unanswerable question must not have answers"),
    ("qa.jsonl", [{**QUESTION, "history": ["Who?"]}], 'qa.jsonl:1: history must be a list of {"role"'),
    ("qa.jsonl", [{**QUESTION, "history": [{"role": "system", "content": "x"}]}], "qa.jsonl:1: history must be a list"),
    ("qa.jsonl", [{**QUESTION, "gold_doc": "x"}], "qa.jsonl:1: gold_doc: unknown document x"),
    ("qa.jsonl", [{**QUESTION, "_id": "a"}, {**QUESTION, "_id": "a"}], "qa.jsonl:2: duplicate _id a"),
    ("qa.jsonl", [], "qa.jsonl: is empty"),
    ("set.json", ["{", '"name": '], "set.json:3: invalid JSON"),
    ("set.json", ["[]"], "set.json: must be a JSON object"),
    ("set.json", [{"chunking": {}}], "set.json: unknown field chunking"),
    ("set.json", [{"name": 7}], "set.json: name must be a str"),
    ("set.json", [{"qrels": "else.tsv"}], "set.json: qrels: "),
]


@pytest.mark.parametrize(("name", "rows", "message"), WRONG, ids=[message for _, _, message in WRONG])
def test_errors_name_the_file_and_line(folder: Path, name: str, rows: list[Any], message: str) -> None:
    lines(folder / name, *rows)
    with pytest.raises(InputError) as raised:
        read_set(folder)
    assert str(raised.value).startswith(f"{folder}/{message}")


def test_invalid_utf_8_is_reported_with_its_line(folder: Path) -> None:
    (folder / "qa.jsonl").write_bytes(json.dumps(QUESTION).encode() + b"\n\xff\n")
    with pytest.raises(InputError, match=r"qa.jsonl:2: not valid UTF-8"):
        read_set(folder)


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        (["corpus.jsonl"], "either corpus.jsonl or a folder docs"),
        (["queries.jsonl"], "needed together"),
        (["qrels.tsv"], "needed together"),
        (["queries.jsonl", "qrels.tsv", "qa.jsonl"], "no queries or questions"),
    ],
)
def test_missing_files_are_reported(folder: Path, gone: list[str], message: str) -> None:
    for name in gone:
        (folder / name).unlink()
    with pytest.raises(InputError, match=message):
        read_set(folder)


def test_a_set_has_a_corpus_or_a_folder_of_documents(folder: Path) -> None:
    (folder / "docs").mkdir()
    with pytest.raises(InputError, match=r"either corpus\.jsonl or a folder docs"):
        read_set(folder)
    (folder / "corpus.jsonl").unlink()
    with pytest.raises(InputError, match="no file in a supported format"):
        read_set(folder)
    with pytest.raises(InputError, match="no such folder"):
        read_set(folder / "nowhere")


# --- what a set is ---------------------------------------------------------------------------


def test_the_corpus_hash_covers_only_documents_and_chunking(folder: Path) -> None:
    before = read_set(folder)
    lines(folder / "qa.jsonl", {**QUESTION, "answers": ["owls"]})
    other_question = read_set(folder)
    assert other_question.corpus_hash == before.corpus_hash
    assert other_question.set_hash != before.set_hash
    assert read_set(folder, {"type": "structure"}).corpus_hash != before.corpus_hash
    lines(folder / "corpus.jsonl", {**OWL, "text": "It sees."}, GULL)
    assert read_set(folder).corpus_hash != before.corpus_hash


def many(folder: Path, count: int) -> EvalSet:
    lines(folder / "queries.jsonl", *({"_id": str(i), "text": f"Query {i}"} for i in range(count)))
    lines(folder / "qrels.tsv", HEADER, *(f"{i}\to\t1" for i in range(count)))
    return read_set(folder)


def test_a_sample_is_the_same_for_the_same_seed(folder: Path) -> None:
    whole = many(folder, 100)
    first, again, other = (whole.sample(10, seed).queries for seed in (1, 1, 2))
    assert first == again != other
    assert len(first) == 10
    assert whole.sample(1000, 1).queries == whole.queries == whole.sample(None, 1).queries
    assert whole.sample(10, 1).corpus_hash == whole.corpus_hash


def test_the_turns_before_a_question_are_part_of_the_set(folder: Path) -> None:
    lines(folder / "qa.jsonl", QUESTION)
    before = read_set(folder)
    turns = [{"role": "user", "content": "What is an owl?"}, {"role": "assistant", "content": "A bird."}]
    lines(folder / "qa.jsonl", {**QUESTION, "history": turns})
    after = read_set(folder)
    assert [(turn.role, turn.content) for turn in after.questions[0].history] == [
        ("user", "What is an owl?"), ("assistant", "A bird."),
    ]  # fmt: skip
    assert after.set_hash != before.set_hash


def test_conversations_of_mtrag_become_a_set(tmp_path: Path) -> None:
    task: dict[str, Any] = {
        "_id": "a<::>2",
        "answerability": "ANSWERABLE",
        "contexts": [{"document_id": "p1", "title": "Owls", "text": "\nThey turn."}],
        "conversation": [
            {"role": "user", "content": "What is an owl?"}, {"role": "assistant", "content": "A bird."},
            {"role": "user", "content": "Does it turn?"},
        ],
        "targets": ["Yes."],
    }  # fmt: skip
    other = {**task, "_id": "b", "answerability": "UNANSWERABLE", "conversation": task["conversation"][-1:]}
    lines(tmp_path / "tasks.jsonl", task, other, {**task, "_id": "c", "answerability": "PARTIAL"})
    assert mtrag.main([str(tmp_path), str(tmp_path / "set")]) == 0
    made = read_set(tmp_path / "set")
    assert [document.doc_id for document in made.documents] == ["p1"]
    first, second = made.questions
    assert (first.text, len(first.history), first.answers) == ("Does it turn?", 2, ("Yes.",))
    assert (second.unanswerable, second.history) == (True, ())
