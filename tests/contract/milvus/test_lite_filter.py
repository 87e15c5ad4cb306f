"""The replacement of Milvus Lite's evaluation of filters: it finds what Milvus Lite finds."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from milvus_lite.search.filter import parse_expr
from milvus_lite.search.filter.eval.python_backend import _eval_row, evaluate_python

from rag.adapters.milvus.lite import lite_filter
from rag.retrieve.search.filters import compile_filters, with_literals
from rag.types import FilterObject

VALUES: list[Any] = ["a", "b", "", 1, 1.0, 0, True, False, 2.5, ["a"], {"a": "b"}, None]
ROWS = [{"s": value, "n": number} for number, value in enumerate(VALUES)] + [{}, {"n": 3}, {"s": "a", "n": "a"}]
TABLE = pa.table({"attributes": [json.dumps(row) for row in ROWS], "dense": [[0.5, 0.5]] * len(ROWS)})


def within(kind: str, key: str, *values: object) -> FilterObject:
    return {"type": kind, "key": key, "value": list(values)}


FILTERS: list[FilterObject] = [
    within("in", "s", "a", "b", "c"),
    within("nin", "s", "a", "b", "c"),
    within("in", "s", "a"),
    within("in", "s", 1, True, "", 2.5),
    within("nin", "s", 0, "x"),
    {"type": "or", "filters": [within("in", "s", "a", "x"), within("in", "n", 3, 4)]},
    {"type": "and", "filters": [within("nin", "s", "a", "x"), within("in", "n", 1, 2, 3)]},
    {"type": "and", "filters": [{"type": "ne", "key": "s", "value": "a"}, {"type": "ne", "key": "n", "value": 3}]},
    {"type": "or", "filters": [{"type": "eq", "key": "s", "value": "a"}, {"type": "gt", "key": "n", "value": 5}]},
]


def compiled(expression: str) -> Any:
    return SimpleNamespace(ast=parse_expr(expression), fields={"attributes": None})


def expression_of(filters: FilterObject) -> str:
    return with_literals(compile_filters(filters))


OTHERS = [
    'attributes["s"] == "a" or attributes["s"] == "b"',
    'attributes["s"] != "a" and attributes["n"] != 3',
    'attributes["s"] == "a" or attributes["s"] != "b"',
    'not (attributes["s"] == "a" or attributes["s"] == "b")',
    '(not (exists attributes["s"])) or attributes["n"] == 3 or attributes["n"] == 4',
]


@pytest.mark.parametrize("expression", [*map(expression_of, FILTERS), *OTHERS])
def test_it_finds_what_milvus_lite_finds(expression: str) -> None:
    expected = evaluate_python(compiled(expression), TABLE).to_pylist()
    assert lite_filter.evaluate(compiled(expression), TABLE).to_pylist() == expected


@pytest.mark.parametrize("kind", ["in", "nin"])
def test_the_number_of_values_does_not_matter(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluated = list[object]()

    def counting(node: object, row: dict[str, object]) -> object:
        evaluated.append(node)
        return _eval_row(node, row)

    monkeypatch.setattr(lite_filter, "_eval_row", counting)
    filters = within(kind, "s", *(f"value {number}" for number in range(256)))
    lite_filter.evaluate(compiled(expression_of(filters)), TABLE)
    assert len(evaluated) <= 2 * len(ROWS)  # whether the attribute exists, and its value
