"""`python -m evals.mtrag FOLDER TO`: make a set from the conversations of IBM's MTRAG-UN.

FOLDER has `tasks.jsonl`: conversations that end with a question, with passages, reference answers and whether it can be
answered. The passages of all become one corpus. Questions that are partly answerable or underspecified are left out:
neither an answer nor its absence is right.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evals import conversion

_KINDS = {"ANSWERABLE": False, "UNANSWERABLE": True}


def main(arguments: Sequence[str] | None = None) -> int:
    return conversion.run("evals.mtrag", __doc__, write, arguments)


def write(folder: Path, to: Path) -> None:
    to.mkdir(parents=True, exist_ok=True)
    lines = (folder / "tasks.jsonl").read_text(encoding="utf-8").splitlines()
    tasks = [json.loads(line) for line in lines if line.strip()]
    about = {"name": "mtrag_un", "licence": "Apache-2.0, IBM/mt-rag-benchmark"}
    (to / "set.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    passages = {row["_id"]: row for task in tasks for row in _passages(task)}
    _write_lines(to / "corpus.jsonl", passages.values())
    _write_lines(to / "qa.jsonl", [_question(task) for task in tasks if task["answerability"] in _KINDS])


def _passages(task: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for passage in task["contexts"]:
        yield {"_id": passage["document_id"], "title": passage["title"], "text": passage["text"].strip()}


def _question(task: Mapping[str, Any]) -> dict[str, object]:
    *before, last = task["conversation"]
    unanswerable = _KINDS[task["answerability"]]
    known = {"unanswerable": True} if unanswerable else {"answers": task["targets"]}
    return {"_id": task["_id"], "question": last["content"], "history": before, **known}


def _write_lines(path: Path, rows: Iterable[object]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
