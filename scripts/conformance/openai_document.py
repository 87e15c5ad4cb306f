"""How much of OpenAI's document our published OpenAPI document has: `openai_document.py OPENAI.yaml [OURS.json]`.

Prints for each part of the API two percentages, and what is different:

- `by property`: of all parameters and properties that OpenAI's document has at any depth, those that ours has with a
  compatible type and with compatible values. Whatever is beneath a property that we lack counts as lacking too.
- `by difference`: the count that OGX publishes for itself. A property that we lack is one difference, however much is
  beneath it, and operations that we do not offer do not count.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER), str(FOLDER.parents[1])]

from document_comparison import Comparison, Finding, operations  # noqa: E402
from document_schemas import Document  # noqa: E402

PARTS: Mapping[str, Sequence[str]] = {
    "Files": ("/files",),
    "Vector stores": ("/vector_stores",),
    "Responses": ("/responses",),
    "Conversations": ("/conversations",),
    "Chat": ("/chat/completions",),
    "Embeddings": ("/embeddings",),
    "Models": ("/models",),
    "Completions": ("/completions",),
    "Batches": ("/batches",),
    "Uploads": ("/uploads",),
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("openai", type=Path, help="OpenAI's document, YAML or JSON")
    parser.add_argument("ours", type=Path, nargs="?", help="the document to compare (default: that of this checkout)")
    parser.add_argument("--prefix", default="/v1", help="prefix of its paths")
    parser.add_argument("--differences", action="store_true", help="also list every difference")
    options = parser.parse_args(arguments)
    ours = read(options.ours) if options.ours else published()
    comparison = Comparison(theirs := Document(read(options.openai)), Document(ours), options.prefix)
    for line in report(theirs, comparison, options.differences):
        print(line)


def read(path: Path) -> Mapping[str, Any]:
    text = path.read_text()
    content: Mapping[str, Any] = json.loads(text) if path.suffix == ".json" else yaml.load(text, yaml.CSafeLoader)
    return content


def published() -> Mapping[str, Any]:
    from rag.http.published_document import document

    return document()


def report(theirs: Document, comparison: Comparison, differences: bool) -> Iterable[str]:
    yield f"{'':16}{'by property':>12}{'by difference':>15}{'properties':>12}{'differences':>13}  not offered"
    for part, prefixes in PARTS.items():
        found: list[Finding] = []
        absent: list[str] = []
        beyond = 0
        for method, path in operations(theirs, prefixes):
            findings = comparison.findings(method, path)
            if not comparison.offered(method, path):
                absent.append(f"{method.upper()} {path}")
                beyond += len(findings)
                findings = [Finding(finding.place, "operation not offered", beneath=True) for finding in findings]
            found += findings
        yield _line(part, found, beyond, absent)
        if differences:
            yield from (f"    {one.place}: {one.reason}" for one in found if one.reason and not one.beneath)


def _line(part: str, found: Sequence[Finding], beyond: int, absent: Sequence[str]) -> str:
    same = sum(not finding.reason for finding in found)
    different = sum(bool(finding.reason) and not finding.beneath for finding in found)
    offered = len(found) - beyond
    by_property = f"{100 * same / len(found):.1f} %" if found else "-"
    by_difference = f"{100 * (1 - different / offered):.1f} %" if offered else "-"
    return f"{part:16}{by_property:>12}{by_difference:>15}{len(found):>12}{different:>13}  {', '.join(absent)}"


if __name__ == "__main__":
    main()
