"""No part that differs ever has the same key."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from rag.cache_key import answer_key, cache_key
from rag.types import Hit, Message
from tests.support.builders import a_chunk

TEXT = st.text(st.characters(), max_size=20)  # half surrogate pairs, too: requests may hold them
SCALAR = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT
VALUE = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=8
)
PARTS = st.dictionaries(TEXT, VALUE, max_size=6)


def strict(value: Any) -> Any:
    """Where `==` is too kind: True is not 1, nor is 1.0 or -0.0 what equals it."""
    if isinstance(value, dict):
        return {key: strict(item) for key, item in value.items()}
    if isinstance(value, list):
        return [strict(item) for item in value]
    return (type(value).__name__, repr(value))


@given(PARTS)
def test_the_same_parts_have_the_same_key_in_any_order(parts: dict[str, Any]) -> None:
    reordered = dict(reversed(copy.deepcopy(parts).items()))
    assert cache_key("k", parts) == cache_key("k", reordered)


@given(PARTS, PARTS)
def test_other_parts_have_another_key(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert (cache_key("k", one) == cache_key("k", other)) == (strict(one) == strict(other))


@given(PARTS, st.data())
def test_one_part_that_changes_changes_the_key(parts: dict[str, Any], data: st.DataObject) -> None:
    assume(parts)
    name = data.draw(st.sampled_from(sorted(parts)))
    value = data.draw(VALUE.filter(lambda value: strict(value) != strict(parts[name])))
    without = {key: item for key, item in parts.items() if key != name}
    keys = {cache_key("k", parts), cache_key("k", parts | {name: value}), cache_key("k", without)}
    assert len(keys) == 3


def test_kinds_never_meet() -> None:
    assert cache_key("a", {"b": 1}) != cache_key("b", {"b": 1})


def test_an_answer_stands_for_its_sources_history_and_prompt() -> None:
    hits = [Hit(a_chunk(f"text {n}", ordinal=n), 0.5) for n in range(3)]
    said = [Message("user", "one"), Message("assistant", "two")]
    keys = {
        answer_key("r", hits, said, "1"),
        answer_key("other", hits, said, "1"),
        answer_key("r", hits[:2], said, "1"),
        answer_key("r", hits[::-1], said, "1"),
        answer_key("r", hits, said[:1], "1"),
        answer_key("r", hits, [], "1"),
        answer_key("r", hits, said, "2"),
    }
    assert len(keys) == 7
    assert answer_key("r", hits, said, "1") in keys
