"""A folder -> an evaluation set. What is wrong with it is told with file and line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from evals.harness.eval_set import WHOLE, BadInput, Document, EvalQuery, EvalQuestion, EvalSet
from rag.readers.filename import MAX_FILENAME_CHARS
from rag.types import JsonObject
from rag.upload import select_files

ABOUT = "set.json"
_TYPES: Mapping[str, type] = {
    "name": str,
    "licence": str,
    "chunking_strategy": dict,
    "exclude": list,
    **dict.fromkeys(("corpus", "docs", "queries", "qrels", "qa"), str),
}
"""The fields of set.json; the last five are paths, relative to it."""
_QA_FIELDS = frozenset({"_id", "question", "answers", "unanswerable", "gold_doc"})
_HEADER = "query-id\tcorpus-id\tscore"


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of a file, and where it stands."""

    path: Path
    number: int
    value: JsonObject

    def wrong(self, why: str) -> BadInput:
        return BadInput(f"{self.path}:{self.number}: {why}")

    def text(self, field: str, *, blank: bool = False) -> str:
        value = self.value.get(field)
        if not isinstance(value, str):
            raise self.wrong(f"{field} must be a text" if field in self.value else f"{field} is missing")
        if not blank and not value.strip():
            raise self.wrong(f"{field} is empty")
        return value


def read_set(folder: Path, chunking: JsonObject | None = None) -> EvalSet:
    """The set in this folder.

    Args:
        chunking: In place of what the set says.

    Raises:
        BadInput: the first thing that is wrong.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder}: there is no such folder")
    about = _about(folder)
    documents = _documents(folder, about)
    known = {document.doc_id for document in documents}
    queries, relevant = _queries(folder, about, known)
    questions = _questions(folder, about, known)
    if not queries:
        queries, relevant = _from_questions(questions)
    if not queries and not questions:
        raise BadInput(f"{folder}: it asks nothing: queries.jsonl with qrels.tsv, or qa.jsonl, must be there")
    return EvalSet(
        name=about.get("name") or folder.resolve().name,
        documents=documents,
        queries=queries,
        relevant=relevant,
        questions=questions,
        licence=about.get("licence", ""),
        chunking=chunking or about.get("chunking_strategy") or (WHOLE if documents[0].path is None else None),
    )


def _about(folder: Path) -> JsonObject:
    path = folder / ABOUT
    if not path.is_file():
        return {}
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise BadInput(f"{path}:{error.lineno}: this is not JSON: {error.msg}") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path}: this is not UTF-8") from None
    if not isinstance(about, dict):
        raise BadInput(f"{path}: must be a JSON object")
    for name, value in about.items():
        if name not in _TYPES:
            raise BadInput(f"{path}: {name} is not known here; known are: {', '.join(_TYPES)}")
        if not isinstance(value, _TYPES[name]):
            raise BadInput(f"{path}: {name} must be a {_TYPES[name].__name__}")
    return about


def _place(folder: Path, about: JsonObject, kind: str, name: str) -> Path | None:
    """The file or folder of this kind: as set.json says, or under its usual name, or `queries_train.jsonl` and the like
    where there is one of them. None: the set has none."""
    if kind in about:
        path = folder / str(about[kind])
        if not path.exists():
            raise BadInput(f"{folder / ABOUT}: {kind}: {path} is not there")
        return path
    if (folder / name).exists():
        return folder / name
    stem, _, suffix = name.partition(".")
    others = sorted(folder.glob(f"{stem}_*.{suffix}")) if suffix else []
    if len(others) > 1:
        raise BadInput(f"{folder}: say in {ABOUT} which is {kind}: {', '.join(path.name for path in others)}")
    return others[0] if others else None


# --- lines -----------------------------------------------------------------------------------


def _rows(path: Path) -> Iterator[SourceLine]:
    """The objects of a JSON Lines file; blank lines are passed over."""
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError:
            raise BadInput(f"{path}:{number}: this is not JSON") from None
        if not isinstance(value, dict):
            raise BadInput(f"{path}:{number}: must be a JSON object")
        yield SourceLine(path, number, value)


def _lines(path: Path) -> Iterator[str]:
    if not path.is_file():
        raise BadInput(f"{path}: must be a file")
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError:
                raise BadInput(f"{path}:{number}: this is not UTF-8") from None


# --- documents -------------------------------------------------------------------------------


def _documents(folder: Path, about: JsonObject) -> tuple[Document, ...]:
    corpus, docs = _place(folder, about, "corpus", "corpus.jsonl"), _place(folder, about, "docs", "docs")
    if (corpus is None) == (docs is None):
        raise BadInput(f"{folder}: either corpus.jsonl or a folder docs must be there")
    if corpus is not None:
        return _corpus(corpus)
    assert docs is not None
    found = select_files([str(docs)], [str(pattern) for pattern in about.get("exclude", [])])
    if not found.files:
        raise BadInput(f"{docs}: there is no file in it that can be read")
    return tuple(Document(upload.stored_name, upload.stored_name, path=upload.path) for upload in found.files)


def _corpus(path: Path) -> tuple[Document, ...]:
    found: dict[str, Document] = {}
    for row in _rows(path):
        doc_id = row.text("_id")
        title = row.text("title", blank=True) if "title" in row.value else ""
        text = "\n".join(part for part in (title.strip(), row.text("text", blank=True).strip()) if part)
        filename = f"{quote(doc_id, safe=' ')}.txt"
        if not text:
            raise row.wrong("neither title nor text has anything in it")
        if doc_id in found:
            raise row.wrong(f"the _id {doc_id} was there before")
        if len(filename) > MAX_FILENAME_CHARS:
            raise row.wrong("the _id is too long")
        found[doc_id] = Document(doc_id, filename, text=text)
    if not found:
        raise BadInput(f"{path}: it is empty")
    return tuple(found.values())


# --- what is asked ---------------------------------------------------------------------------


def _queries(
    folder: Path, about: JsonObject, documents: set[str]
) -> tuple[tuple[EvalQuery, ...], dict[str, dict[str, int]]]:
    """Those that have a relevant document, and their judgements."""
    queries, qrels = _place(folder, about, "queries", "queries.jsonl"), _place(folder, about, "qrels", "qrels.tsv")
    if queries is None and qrels is None:
        return (), {}
    if queries is None or qrels is None:
        raise BadInput(f"{folder}: queries.jsonl and qrels.tsv belong together, and one of them is missing")
    found: dict[str, EvalQuery] = {}
    for row in _rows(queries):
        query_id = row.text("_id")
        if query_id in found:
            raise row.wrong(f"the _id {query_id} was there before")
        found[query_id] = EvalQuery(query_id, row.text("text"))
    relevant = _relevant(qrels, found, documents)
    judged = tuple(query for query in found.values() if any(relevant.get(query.query_id, {}).values()))
    if not judged:
        raise BadInput(f"{qrels}: no query has a relevant document")
    return judged, {query.query_id: relevant[query.query_id] for query in judged}


def _relevant(path: Path, queries: Mapping[str, EvalQuery], documents: set[str]) -> dict[str, dict[str, int]]:
    relevant: dict[str, dict[str, int]] = {}
    for number, line in enumerate(_lines(path), start=1):
        row = SourceLine(path, number, {})
        cells = line.split("\t")
        if number == 1:
            if len(cells) != 3 or cells[2].strip().lstrip("-").isdigit():
                raise row.wrong(f"the header line is missing: {_HEADER!r}")
            continue
        if not line.strip():
            continue
        if len(cells) != 3:
            raise row.wrong(f"must have three cells with tabs between them, as the header line {_HEADER!r}")
        query_id, doc_id, score = (cell.strip() for cell in cells)
        if query_id not in queries:
            raise row.wrong(f"there is no query {query_id}")
        if doc_id not in documents:
            raise row.wrong(f"there is no document {doc_id}")
        if not score.isdecimal():
            raise row.wrong("score must be a whole number from 0")
        relevant.setdefault(query_id, {})[doc_id] = int(score)
    return relevant


def _questions(folder: Path, about: JsonObject, documents: set[str]) -> tuple[EvalQuestion, ...]:
    path = _place(folder, about, "qa", "qa.jsonl")
    if path is None:
        return ()
    found: dict[str, EvalQuestion] = {}
    for row in _rows(path):
        question = _question(row, documents)
        if question.question_id in found:
            raise row.wrong(f"the _id {question.question_id} was there before")
        found[question.question_id] = question
    if not found:
        raise BadInput(f"{path}: it is empty")
    return tuple(found.values())


def _question(row: SourceLine, documents: set[str]) -> EvalQuestion:
    if unknown := sorted(row.value.keys() - _QA_FIELDS):
        raise row.wrong(f"{unknown[0]} is not known here; known are: {', '.join(sorted(_QA_FIELDS))}")
    answers, unanswerable, gold_doc = (row.value.get(name) for name in ("answers", "unanswerable", "gold_doc"))
    question = EvalQuestion(row.text("_id") if "_id" in row.value else f"line {row.number}", row.text("question"))
    if not isinstance(answers or [], list) or not all(isinstance(answer, str) for answer in answers or []):
        raise row.wrong("answers must be a list of texts")
    if not isinstance(unanswerable or False, bool):
        raise row.wrong("unanswerable must be true or false")
    if unanswerable and answers:
        raise row.wrong("it is unanswerable and has answers")
    if not unanswerable and not answers and gold_doc is None:
        raise row.wrong("nothing says what is right: answers, gold_doc, or unanswerable must be given")
    if gold_doc is not None and gold_doc not in documents:
        raise row.wrong(f"gold_doc: there is no document {gold_doc}")
    return replace(question, answers=tuple(answers or ()), unanswerable=bool(unanswerable), gold_doc=gold_doc)


def _from_questions(questions: tuple[EvalQuestion, ...]) -> tuple[tuple[EvalQuery, ...], dict[str, dict[str, int]]]:
    """Where a set has no queries: the questions whose answer stands in a document that is known."""
    found = [question for question in questions if question.gold_doc is not None and not question.unanswerable]
    queries = tuple(EvalQuery(question.question_id, question.text) for question in found)
    return queries, {question.question_id: {str(question.gold_doc): 1} for question in found}
