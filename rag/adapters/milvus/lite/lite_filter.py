"""A replacement for Milvus Lite's evaluation of filters on attributes, which is fast for long lists of values.

Milvus Lite parses the attributes of a chunk again for each value. A list of a thousand values then takes seconds on a
few thousand chunks, and all other searches wait (docs/bentoml_issues.md#m13).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import pyarrow as pa  # type: ignore[import-untyped]
from milvus_lite.search.filter import eval as lite_eval
from milvus_lite.search.filter.ast import And, BoolLit, CmpOp, FloatLit, IntLit, Or, PathAccess, StringLit
from milvus_lite.search.filter.eval.python_backend import _eval_row

_Row: TypeAlias = Mapping[str, Any]
_Test: TypeAlias = Callable[[_Row], bool | None]
"""None: unknown, because a value is missing."""
_LITERALS = (BoolLit, FloatLit, IntLit, StringLit)


def install() -> None:
    """Make Milvus Lite use this evaluation in this process."""
    lite_eval.evaluate_python = evaluate


def evaluate(compiled: Any, data: pa.Table | pa.RecordBatch) -> pa.BooleanArray:
    """Which rows a compiled expression matches. As in Milvus Lite, those for which it is unknown do not match."""
    test = _test(compiled.ast)
    rows = data.select([name for name in data.schema.names if name in compiled.fields]).to_pylist()  # without vectors
    return pa.array([test(row) is True for row in rows], type=pa.bool_())


def _test(node: Any) -> _Test:
    if isinstance(node, And | Or):
        return _membership(node) or _joined([_test(operand) for operand in node.operands], isinstance(node, Or))
    return lambda row: _eval_row(node, row)


def _joined(tests: list[_Test], is_or: bool) -> _Test:
    """Kleene's logic: an operand that decides wins over one that is unknown."""

    def test(row: _Row) -> bool | None:
        is_unknown = False
        for each in tests:
            result = each(row)
            if result is is_or:
                return is_or
            is_unknown = is_unknown or result is None
        return None if is_unknown else not is_or

    return test


def _membership(node: And | Or) -> _Test | None:
    """The test of `path == a or path == b ...` or `path != a and path != b ...`; None for other expressions."""
    wanted = "==" if isinstance(node, Or) else "!="
    comparisons = list(_operands(node, type(node)))
    paths = {_path(each) for each in comparisons if _compares(each, wanted)}
    if len(paths) != 1 or not all(_compares(each, wanted) for each in comparisons):
        return None
    path, values = comparisons[0].left, frozenset(each.right.value for each in comparisons)
    holds = operator.contains if isinstance(node, Or) else lambda known, value: value not in known

    def test(row: _Row) -> bool | None:
        value = _eval_row(path, row)
        if value is None:
            return None
        return holds(values, value) if isinstance(value, str | int | float) else isinstance(node, And)

    return test


def _operands(node: Any, kind: type[And | Or]) -> Iterator[Any]:
    """The leaves of a tree of one operator, which is not deep: `rag.retrieve.search.filters` balances it."""
    if isinstance(node, kind):
        for operand in node.operands:
            yield from _operands(operand, kind)
    else:
        yield node


def _compares(node: Any, operation: str) -> bool:
    return (
        isinstance(node, CmpOp)
        and node.op == operation
        and isinstance(node.left, PathAccess)
        and isinstance(node.right, _LITERALS)
    )


def _path(comparison: CmpOp) -> tuple[Any, ...]:
    """What tells paths apart; they also contain their position in the text."""
    base = comparison.left.base
    return type(base), getattr(base, "name", id(base)), comparison.left.path
