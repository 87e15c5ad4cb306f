"""`python -m evals.milvus_docs FOLDER TO`: make a set from the documentation of Milvus and its FAQ.

FOLDER has the documentation in `site/en`, which is referenced, and the questions in `gold/faq_qa.jsonl`, which are
converted. A page that repeats one of the questions verbatim is excluded.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from evals import conversion

SITE = "site/en"
EXCLUDED = "integrations/milvus_rag_with_vllm.md"


def main(arguments: Sequence[str] | None = None) -> int:
    return conversion.run("evals.milvus_docs", __doc__, write, arguments)


def write(folder: Path, to: Path) -> None:
    to.mkdir(parents=True, exist_ok=True)
    about = {
        "name": "milvus_docs",
        "licence": "Apache-2.0, milvus-io/milvus-docs",
        "docs": str((folder / SITE).resolve()),
        "exclude": [EXCLUDED],
    }
    (to / "set.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    gold = (folder / "gold" / "faq_qa.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [_row(json.loads(line)) for line in gold if line.strip()]
    (to / "qa.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _row(gold: dict[str, str]) -> dict[str, object]:
    return {
        "_id": gold["_id"],
        "question": gold["question"],
        "answers": [gold["answer"]],
        "gold_doc": gold["gold_file"].removeprefix(f"{SITE}/"),
    }


if __name__ == "__main__":
    sys.exit(main())
