from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import InvalidFilter
from rag.retrieve.search.filters import (
    MAX_CLAUSES,
    MAX_DEPTH,
    MAX_LIST_VALUES,
    MAX_VALUES,
    compile_filters,
    milvus_literal,
    with_literals,
)

NAUGHTY = Path(__file__).parents[4].parent / "shared" / "data" / "hostile" / "blns" / "blns.json"
CLAUSE = {"type": "eq", "key": "lang", "value": "de"}

scalars = st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.booleans(), st.integers(1 - 2**63, 2**63 - 1))
json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
anything = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["eq", "in", "gt", "and", "or", "nin", "like"]) | json_values,
        "key": st.sampled_from(["lang", "filename", 'a"b']) | json_values,
        "value": json_values,
        "filters": json_values,
    },
)


@pytest.mark.parametrize(
    ("filters", "expression", "params"),
    [
        (CLAUSE, '((exists attributes["lang"]) and attributes["lang"] == {v0})', {"v0": "de"}),
        ({"type": "lte", "key": "filename", "value": "m"}, "filename <= {v0}", {"v0": "m"}),
        ({"type": "nin", "key": "file_id", "value": ["a", "b"]}, "file_id not in {v0}", {"v0": ["a", "b"]}),
        (
            {"type": "in", "key": "n", "value": [1, True]},
            '((exists attributes["n"]) and (attributes["n"] == {v0} or attributes["n"] == {v1}))',
            {"v0": 1, "v1": True},
        ),
        (
            {
                "type": "or",
                "filters": [{"type": "gt", "key": "file_id", "value": "x"}, {"type": "and", "filters": [CLAUSE]}],
            },
            '(file_id > {v0} or ((exists attributes["lang"]) and attributes["lang"] == {v1}))',
            {"v0": "x", "v1": "de"},
        ),
    ],
)
def test_compiled(filters: dict[str, Any], expression: str, params: dict[str, Any]) -> None:
    assert compile_filters(filters) == (expression, params)


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ({}, "type"),
        ({"type": "like", "key": "a", "value": "b"}, "type"),
        ({"type": ["eq"], "key": "a", "value": "b"}, "type"),
        ({"type": "eq", "value": "b"}, "key"),
        ({"type": "eq", "key": 'a"b', "value": "b"}, 'a"b'),
        ({"type": "eq", "key": "a" * 65, "value": "b"}, "aaa"),
        ({"type": "eq", "key": "a\n", "value": "b"}, "key"),
        ({"type": "eq", "key": "lang"}, "lang"),
        ({"type": "eq", "key": "lang", "value": None}, "lang"),
        ({"type": "eq", "key": "lang", "value": ["de"]}, "lang"),
        ({"type": "eq", "key": "lang", "value": "\ud800"}, "Unicode"),
        ({"type": "eq", "key": "n", "value": float("nan")}, "finite"),
        ({"type": "eq", "key": "n", "value": 2**63}, "64 bits"),
        ({"type": "eq", "key": "n", "value": -(2**63)}, "64 bits"),
        ({"type": "gt", "key": "n", "value": True}, "booleans"),
        ({"type": "in", "key": "n", "value": 1}, "list"),
        ({"type": "in", "key": "n", "value": []}, "list"),
        ({"type": "in", "key": "n", "value": [[1]]}, "'n'"),
        ({"type": "in", "key": "n", "value": list(range(MAX_LIST_VALUES + 1))}, str(MAX_LIST_VALUES)),
        ({"type": "or", "filters": [{"type": "in", "key": "n", "value": [1] * 256}] * 5}, str(MAX_VALUES)),
        ({"type": "eq", "key": "filename", "value": 1}, "strings"),
        ({"type": "eq", "key": "n", "value": 1, "extra": 1}, "extra"),
        ({"type": "and", "filters": []}, "filters"),
        ({"type": "and", "filters": ["x"]}, "object"),
        ({"type": "and", "filters": [CLAUSE] * MAX_CLAUSES}, str(MAX_CLAUSES)),
    ],
)
def test_refused(filters: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidFilter, match=re.escape(words)) as caught:
        compile_filters(filters)
    assert caught.value.param == "filters"


def test_depth() -> None:
    def nested(depth: int) -> dict[str, Any]:
        return CLAUSE if depth == 1 else {"type": "and", "filters": [nested(depth - 1)]}

    compile_filters(nested(MAX_DEPTH))
    with pytest.raises(InvalidFilter, match=str(MAX_DEPTH)):
        compile_filters(nested(MAX_DEPTH + 1))


@given(anything)
def test_any_json_compiles_or_is_refused(filters: dict[str, Any]) -> None:
    with contextlib.suppress(InvalidFilter):
        compile_filters(filters)


@given(scalars, scalars)
def test_the_template_does_not_depend_on_the_value(one: Any, other: Any) -> None:
    first = compile_filters({"type": "ne", "key": "k", "value": one})
    second = compile_filters({"type": "ne", "key": "k", "value": other})
    assert first.expression == second.expression
    assert first.params == {"v0": one}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_string_literal_cannot_be_left(value: str) -> None:
    inside = milvus_literal(value)[1:-1]
    assert re.fullmatch(r'(?:[^"\\\r\n]|\\["\\nr])*', inside)
    unescaped = re.sub(r"\\(.)", lambda match: {"n": "\n", "r": "\r"}.get(match[1], match[1]), inside)
    assert unescaped == value


def test_values_that_look_like_parameters_stay_values() -> None:
    compiled = compile_filters({"type": "in", "key": "filename", "value": ["{v0}", "{v1}"]})
    assert with_literals(compiled) == 'filename in ["{v0}", "{v1}"]'


def test_literals_of_numbers_and_booleans() -> None:
    assert milvus_literal([True, False, -1, 2.5, 1e300]) == "[true, false, -1, 2.5, 1e+300]"


def test_naughty_strings() -> None:
    if not NAUGHTY.is_file():
        pytest.skip(f"{NAUGHTY} is not there: the big list of naughty strings is not part of this repository")
    for string in json.loads(NAUGHTY.read_text(encoding="utf-8")):
        assert compile_filters({"type": "eq", "key": "k", "value": string}).params == {"v0": string}
        try:
            compiled = compile_filters({"type": "eq", "key": string, "value": "x"})
        except InvalidFilter:
            continue
        assert len(string) <= 64
        assert not set(string) & set("\"'\\[]{}()\n\r\0")
        assert string in compiled.expression
