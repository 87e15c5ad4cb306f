"""Reads an evaluation set from a folder. Errors name the file and line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from evals.harness.eval_set import WHOLE_DOCUMENT, Document, EvalQuery, EvalQuestion, EvalSet, InputError
from rag.readers.filename import MAX_FILENAME_CHARS
from rag.types import JsonObject, Message
from rag.upload import select_files

METADATA_FILE = "set.json"
_TYPES: Mapping[str, type] = {
    "name": str,
    "licence": str,
    "chunking_strategy": dict,
    "exclude": list,
    **dict.fromkeys(("corpus", "docs", "queries", "qrels", "qa"), str),
}
"""The fields of set.json and their types; the last five are paths relative to it."""
_QA_FIELDS = frozenset({"_id", "question", "answers", "unanswerable", "gold_doc", "history"})
_HEADER = "query-id\tcorpus-id\tscore"


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of a file with its position."""

    path: Path
    number: int
    value: JsonObject

    def error(self, why: str) -> InputError:
        return InputError(f"{self.path}:{self.number}: {why}")

    def text(self, field: str, *, blank: bool = False) -> str:
        value = self.value.get(field)
        if not isinstance(value, str):
            raise self.error(f"{field} must be a string" if field in self.value else f"{field} is missing")
        if not blank and not value.strip():
            raise self.error(f"{field} is empty")
        return value


def read_set(folder: Path, chunking: JsonObject | None = None) -> EvalSet:
    """The set in this folder.

    Args:
        chunking: Overrides the chunking strategy of the set.

    Raises:
        InputError: the first error found.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    metadata = _metadata(folder)
    documents = _documents(folder, metadata)
    known = {document.doc_id for document in documents}
    queries, relevant = _queries(folder, metadata, known)
    questions = _questions(folder, metadata, known)
    if not queries:
        queries, relevant = _from_questions(questions)
    if not queries and not questions:
        raise InputError(f"{folder}: no queries or questions: add queries.jsonl and qrels.tsv, or qa.jsonl")
    return EvalSet(
        name=metadata.get("name") or folder.resolve().name,
        documents=documents,
        queries=queries,
        relevant=relevant,
        questions=questions,
        licence=metadata.get("licence", ""),
        chunking=chunking
        or metadata.get("chunking_strategy")
        or (WHOLE_DOCUMENT if documents[0].path is None else None),
    )


def _metadata(folder: Path) -> JsonObject:
    path = folder / METADATA_FILE
    if not path.is_file():
        return {}
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: invalid JSON: {error.msg}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not valid UTF-8") from None
    if not isinstance(metadata, dict):
        raise InputError(f"{path}: must be a JSON object")
    for name, value in metadata.items():
        if name not in _TYPES:
            raise InputError(f"{path}: unknown field {name}; known fields: {', '.join(_TYPES)}")
        if not isinstance(value, _TYPES[name]):
            raise InputError(f"{path}: {name} must be a {_TYPES[name].__name__}")
    return metadata


def _locate(folder: Path, metadata: JsonObject, kind: str, name: str) -> Path | None:
    """The file or folder of this kind: as set.json says, under its default name, or a single variant of it such as
    `queries_train.jsonl`. None if the set has none."""
    if kind in metadata:
        path = folder / str(metadata[kind])
        if not path.exists():
            raise InputError(f"{folder / METADATA_FILE}: {kind}: {path} does not exist")
        return path
    if (folder / name).exists():
        return folder / name
    stem, _, suffix = name.partition(".")
    others = sorted(folder.glob(f"{stem}_*.{suffix}")) if suffix else []
    if len(others) > 1:
        raise InputError(
            f"{folder}: ambiguous; set {kind} in {METADATA_FILE} to one of: {', '.join(path.name for path in others)}"
        )
    return others[0] if others else None


# --- lines -----------------------------------------------------------------------------------


def _rows(path: Path) -> Iterator[SourceLine]:
    """The objects of a JSON Lines file; blank lines are skipped."""
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError:
            raise InputError(f"{path}:{number}: invalid JSON") from None
        if not isinstance(value, dict):
            raise InputError(f"{path}:{number}: must be a JSON object")
        yield SourceLine(path, number, value)


def _lines(path: Path) -> Iterator[str]:
    if not path.is_file():
        raise InputError(f"{path}: must be a file")
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError:
                raise InputError(f"{path}:{number}: not valid UTF-8") from None


# --- documents -------------------------------------------------------------------------------


def _documents(folder: Path, metadata: JsonObject) -> tuple[Document, ...]:
    corpus, docs = _locate(folder, metadata, "corpus", "corpus.jsonl"), _locate(folder, metadata, "docs", "docs")
    if (corpus is None) == (docs is None):
        raise InputError(f"{folder}: must contain either corpus.jsonl or a folder docs")
    if corpus is not None:
        return _corpus(corpus)
    assert docs is not None
    found = select_files([str(docs)], [str(pattern) for pattern in metadata.get("exclude", [])])
    if not found.files:
        raise InputError(f"{docs}: contains no file in a supported format")
    return tuple(Document(upload.stored_name, upload.stored_name, path=upload.path) for upload in found.files)


def _corpus(path: Path) -> tuple[Document, ...]:
    found: dict[str, Document] = {}
    for row in _rows(path):
        doc_id = row.text("_id")
        title = row.text("title", blank=True) if "title" in row.value else ""
        text = "\n".join(part for part in (title.strip(), row.text("text", blank=True).strip()) if part)
        filename = f"{quote(doc_id, safe=' ')}.txt"
        if not text:
            raise row.error("title and text are both empty")
        if doc_id in found:
            raise row.error(f"duplicate _id {doc_id}")
        if len(filename) > MAX_FILENAME_CHARS:
            raise row.error("_id is too long")
        found[doc_id] = Document(doc_id, filename, text=text)
    if not found:
        raise InputError(f"{path}: is empty")
    return tuple(found.values())


# --- queries and questions -----------------------------------------------------------------------


def _queries(
    folder: Path, metadata: JsonObject, documents: set[str]
) -> tuple[tuple[EvalQuery, ...], dict[str, dict[str, int]]]:
    """The queries that have a relevant document, and their relevance judgements."""
    queries, qrels = (
        _locate(folder, metadata, "queries", "queries.jsonl"),
        _locate(folder, metadata, "qrels", "qrels.tsv"),
    )
    if queries is None and qrels is None:
        return (), {}
    if queries is None or qrels is None:
        raise InputError(f"{folder}: queries.jsonl and qrels.tsv are needed together, but one is missing")
    found: dict[str, EvalQuery] = {}
    for row in _rows(queries):
        query_id = row.text("_id")
        if query_id in found:
            raise row.error(f"duplicate _id {query_id}")
        found[query_id] = EvalQuery(query_id, row.text("text"))
    relevant = _relevant(qrels, found, documents)
    judged = tuple(query for query in found.values() if any(relevant.get(query.query_id, {}).values()))
    if not judged:
        raise InputError(f"{qrels}: no query has a relevant document")
    return judged, {query.query_id: relevant[query.query_id] for query in judged}


def _relevant(path: Path, queries: Mapping[str, EvalQuery], documents: set[str]) -> dict[str, dict[str, int]]:
    relevant: dict[str, dict[str, int]] = {}
    for number, line in enumerate(_lines(path), start=1):
        row = SourceLine(path, number, {})
        cells = line.split("\t")
        if number == 1:
            if len(cells) != 3 or cells[2].strip().lstrip("-").isdigit():
                raise row.error(f"missing header line {_HEADER!r}")
            continue
        if not line.strip():
            continue
        if len(cells) != 3:
            raise row.error(f"must have three tab-separated cells: {_HEADER!r}")
        query_id, doc_id, score = (cell.strip() for cell in cells)
        if query_id not in queries:
            raise row.error(f"unknown query {query_id}")
        if doc_id not in documents:
            raise row.error(f"unknown document {doc_id}")
        if not score.isdecimal():
            raise row.error("score must be a non-negative integer")
        relevant.setdefault(query_id, {})[doc_id] = int(score)
    return relevant


def _questions(folder: Path, metadata: JsonObject, documents: set[str]) -> tuple[EvalQuestion, ...]:
    path = _locate(folder, metadata, "qa", "qa.jsonl")
    if path is None:
        return ()
    found: dict[str, EvalQuestion] = {}
    for row in _rows(path):
        question = _question(row, documents)
        if question.question_id in found:
            raise row.error(f"duplicate _id {question.question_id}")
        found[question.question_id] = question
    if not found:
        raise InputError(f"{path}: is empty")
    return tuple(found.values())


def _question(row: SourceLine, documents: set[str]) -> EvalQuestion:
    if unknown := sorted(row.value.keys() - _QA_FIELDS):
        raise row.error(f"unknown field {unknown[0]}; known fields: {', '.join(sorted(_QA_FIELDS))}")
    answers, unanswerable, gold_doc = (row.value.get(name) for name in ("answers", "unanswerable", "gold_doc"))
    question = EvalQuestion(row.text("_id") if "_id" in row.value else f"line {row.number}", row.text("question"))
    if not isinstance(answers or [], list) or not all(isinstance(answer, str) for answer in answers or []):
        raise row.error("answers must be a list of strings")
    if not isinstance(unanswerable or False, bool):
        raise row.error("unanswerable must be true or false")
    if unanswerable and answers:
        raise row.error("an unanswerable question must not have answers")
    if not unanswerable and not answers and gold_doc is None:
        raise row.error("answers, gold_doc or unanswerable is required")
    if gold_doc is not None and gold_doc not in documents:
        raise row.error(f"gold_doc: unknown document {gold_doc}")
    history = _history(row)
    return replace(
        question, answers=tuple(answers or ()), unanswerable=bool(unanswerable), gold_doc=gold_doc, history=history
    )


def _history(row: SourceLine) -> tuple[Message, ...]:
    turns = row.value.get("history") or []
    if not isinstance(turns, list) or not all(map(_is_turn, turns)):
        raise row.error('history must be a list of {"role": "user" or "assistant", "content": a string}')
    return tuple(Message(turn["role"], turn["content"]) for turn in turns)


def _is_turn(turn: object) -> bool:
    return (
        isinstance(turn, dict)
        and turn.keys() == {"role", "content"}
        and turn["role"] in ("user", "assistant")
        and isinstance(turn["content"], str)
    )


def _from_questions(questions: tuple[EvalQuestion, ...]) -> tuple[tuple[EvalQuery, ...], dict[str, dict[str, int]]]:
    """Queries of a set without queries.jsonl: the answerable questions with a `gold_doc`."""
    found = [question for question in questions if question.gold_doc is not None and not question.unanswerable]
    queries = tuple(EvalQuery(question.question_id, question.text) for question in found)
    return queries, {question.question_id: {str(question.gold_doc): 1} for question in found}
