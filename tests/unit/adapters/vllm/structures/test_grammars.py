"""Grammars and structural tags of clients, translated for llguidance."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import llguidance
import pytest

from rag.adapters.vllm.structures.gbnf import to_lark
from rag.adapters.vllm.structures.lark import any_of, from_lark
from rag.adapters.vllm.structures.matcher import GrammarRefused, TextMatcher
from rag.adapters.vllm.structures.structural_tags import tag_to_lark
from rag.retrieve.quoting.grammar import chosen_text
from rag.types import Quote

LLAMA_CPP_JSON = r"""root   ::= object
value  ::= object | array | string | number | ("true" | "false" | "null") ws
object ::=
  "{" ws (
            string ":" ws value
    ("," ws string ":" ws value)*
  )? "}" ws
array  ::=
  "[" ws (
            value
    ("," ws value)*
  )? "]" ws
string ::=
  "\"" (
    [^"\\\x7F\x00-\x1F] |
    "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) # escapes
  )* "\"" ws
number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws
ws ::= | " " | "\n" [ \t]{0,20}
"""


def matcher(lark: str) -> TextMatcher:
    return TextMatcher(llguidance.LLMatcher.grammar_from_lark(lark))


def assert_admits(lark: str, valid: Sequence[str], invalid: Sequence[str]) -> None:
    grammar = matcher(lark)
    assert [text for text in valid if not grammar.matches(text)] == []
    assert [text for text in invalid if grammar.matches(text)] == []


@pytest.mark.parametrize(
    ("grammar", "valid", "invalid"),
    [
        ('root ::= term (" + " term)?\nterm ::= [0-9] | "(" root ")"', ["3", "((1 + 2)) + 3"], ["", "3+4", "(3"]),
        ('root ::= root "a" | "b"', ["b", "baa"], ["", "ab"]),
        ('root ::= start "x"\nstart ::= "a" | "b"', ["ax", "bx"], ["x"]),
        ('root ::= a-b A_B A-B\na-b ::= "x"\nA_B ::= "y"\nA-B ::= "z"', ["xyz"], ["xxz"]),
        ('root ::= "x" [a-z]+ "end"', ["xaend", "xendend"], ["xend", "xaen"]),
        ('root ::= "a"\n  | "b" # c\n   ("c" |\n "d")?\n\nx ::= "y"', ["a", "b", "bc", "bd"], ["ac", "bcd"]),
        (r'root ::= "\u0041\x42\n" [\u00e9\]\[/^-]+ "\U0001F600"', ["AB\né]😀", "AB\n[/^-é😀"], ["AB\n😀", "AB\nx😀"]),
        (r'root ::= [^a-c\x00-\x1F]{2,3}', ["dé", "xyz"], ["d", "ab", "d\n", "wxyz"]),
        ('root ::= "a" | ', ["", "a"], ["aa"]),
        ('root ::= "a"{0} ("b" "c"){2} .', ["bcbcé", "bcbc\n"], ["abcbcx", "bcbc"]),
        (r'root ::= "I \"cannot\" \\ 7/8"', ['I "cannot" \\ 7/8'], ["I"]),
        (r'root ::= [\d\-] [+\-*/]', ["1+", "-/"], ["d+", "1d"]),
        (LLAMA_CPP_JSON, ['{"a":[1,2.5e3,"x\\u00ff"],"b":{}} ', "{}"], ['{"a" 1}', "[]"]),
    ],
)  # fmt: skip
def test_ebnf(grammar: str, valid: list[str], invalid: list[str]) -> None:
    assert_admits(to_lark(grammar), valid, invalid)


@pytest.mark.parametrize(
    ("grammar", "reason"),
    [
        ("root ::= (", None),
        ("root ::= nobody", "'nobody' is not defined"),
        ('item ::= "a"', "'root' is not defined"),
        ("root ::= root", "no text can match this"),
        ('root ::= "a"\nroot ::= "b"', "defined twice"),
        ('root ::= "a" $', "line 1: unexpected '\\$'"),
        ('root ::= "a"{1,99999}', "at most 10,000 times"),
        ('root ::= "\\uD800"', "not a character"),
        ('"a"', "expected a rule"),
    ],
)
def test_an_ebnf_that_is_no_grammar_or_admits_nothing(grammar: str, reason: str | None) -> None:
    with pytest.raises((ValueError, GrammarRefused), match=reason):
        matcher(to_lark(grammar))


@pytest.mark.parametrize(
    ("grammar", "valid", "invalid"),
    [
        ('start: answer "."\nanswer: "yes" | "no"', ["yes.", "no."], ["yes"]),
        ('?start: x~2..3\nx: "a"i | /~1..2/ // ~9..9', ["aA", "aaa", "a~1..2"], ["a", "aaaa"]),
        ('%llguidance {}\nstart: "a"', ["a"], [""]),
        ("start: NUMBER\nNUMBER: /[0-9]{1,3}/", ["1", "123"], ["", "1234"]),
    ],
)
def test_lark(grammar: str, valid: list[str], invalid: list[str]) -> None:
    assert_admits(from_lark(grammar), valid, invalid)


def test_too_many_repetitions_in_lark() -> None:
    for counts in ("{99999}", "{1,99999}", "~1..99999"):
        with pytest.raises(ValueError, match="at most 10,000 times"):
            from_lark(f'start: "a"{counts}')


def test_a_choice() -> None:
    texts = ["😀 yes", "b\nc", '\x7f\u2028\x00"\\/ü', "a", "ab"]
    assert_admits(any_of(texts), texts, ["", "b", "abc"])


def test_quotes_of_which_a_model_chooses() -> None:
    quotes = [
        Quote(text, f"{text} [{n}]", n, 0, 1) for n, text in enumerate(('The "a" \\ é.', "B / b.", "C."), start=1)
    ]
    first, second, third = (quote.marked for quote in quotes)
    grammar = to_lark(chosen_text(quotes, at_most=2, refusal="I don't know.")["grammar"])
    valid = ["I don't know.", first, third, f"{first}\n{second}", f"{first}\n{third}"]
    assert_admits(grammar, valid, ["", f"{second}\n{first}", f"{first}\n{second}\n{third}", first[:-1]])


def tag(content: Any, **more: Any) -> dict[str, Any]:
    return {"type": "tag", "begin": "<n>", "content": content, "end": "</n>", **more}


NUMBER = {"type": "json_schema", "json_schema": {"type": "integer", "minimum": 0, "maximum": 99}}
TEXT = {"type": "const_string", "value": "x"}


@pytest.mark.parametrize(
    ("form", "valid", "invalid"),
    [
        (tag(NUMBER), ["<n>7</n>"], ["7", "<n>100</n>", "<n>7</n> "]),
        (tag({"type": "any_text"}, end=["</n>", "|"]), ["<n>a\nb</n>", "<n>|"], ["<n>a", "<n>a</n>b"]),
        (tag({"type": "any_text", "excludes": ["q/"]}), ["<n>q</n>"], ["<n>q/</n>"]),
        ({"type": "sequence", "elements": [TEXT, NUMBER, {"type": "any_text"}]}, ["x5", "x5 more"], ["5", "x"]),
        ({"type": "or", "elements": [TEXT, tag(NUMBER)]}, ["x", "<n>5</n>"], ["x<n>5</n>"]),
        ({"type": "optional", "content": TEXT}, ["", "x"], ["xx"]),
        ({"type": "plus", "content": TEXT}, ["x", "xx"], [""]),
        ({"type": "star", "content": TEXT}, ["", "xx"], ["y"]),
        ({"type": "repeat", "content": TEXT, "min": 1, "max": 2}, ["x", "xx"], ["", "xxx"]),
        ({"type": "regex", "pattern": "a/[0-9]+\\/"}, ["a/1/"], ["a/"]),
        (tag({"type": "grammar", "grammar": 'root ::= "a" root | "b"'}), ["<n>aab</n>"], ["<n>a</n>"]),
        (tag({"type": "grammar", "grammar": 'start: "a" | "b"'}), ["<n>a</n>"], ["<n>ab</n>"]),
        (
            {"type": "tags_with_separator", "tags": [tag(NUMBER)], "separator": ","},
            ["", "<n>1</n>", "<n>1</n>,<n>2</n>"], [",", "<n>1</n>,"],
        ),
        (
            {"type": "triggered_tags", "triggers": ["<n>", "<m"], "tags": [tag(NUMBER), tag(TEXT, begin="<m>")]},
            ["", "any <x> text", "a <n>1</n> b <m>x</n>", "a <n"], ["<n>", "a <m>1</n>", "a <mx"],
        ),
        (
            {"type": "triggered_tags", "triggers": ["<n>"], "tags": [tag(NUMBER)], "at_least_one": True,
             "stop_after_first": True},
            ["<n>1</n>", "a <n>1</n>"], ["a", "<n>1</n> b"],
        ),
    ],
)  # fmt: skip
def test_structural_tags(form: dict[str, Any], valid: list[str], invalid: list[str]) -> None:
    assert_admits(tag_to_lark({"type": "structural_tag", "format": form}, json.dumps), valid, invalid)


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ({"type": "nope"}, "the format 'nope' is not supported"),
        ({"type": "token", "token": 5}, "the format 'token' is not supported"),
        ({**NUMBER, "style": "qwen_xml"}, "only json"),
        ({**NUMBER, "any_order": True}, "json_schema.any_order is not supported"),
        ({"type": "sequence", "elements": [{"type": "any_text"}, TEXT]}, "any_text is only supported"),
        ({"type": "sequence", "elements": []}, "elements: must be a list"),
        ({"type": "triggered_tags", "triggers": ["<x"], "tags": [tag(NUMBER)]}, "no tag begins with"),
        ({"type": "repeat", "content": TEXT, "min": 0, "max": 99999}, "at most 10,000 times"),
        (tag(NUMBER, begin=7), "begin: must be a text"),
        ("x", "needs format"),
    ],
)
def test_a_structural_tag_that_cannot_be_translated_is_refused_by_name(form: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        tag_to_lark({"format": form}, json.dumps)


def test_a_structural_tag_that_is_nested_too_deeply() -> None:
    form: dict[str, Any] = TEXT
    for _ in range(60):
        form = {"type": "optional", "content": form}
    with pytest.raises(ValueError, match="nested too deeply"):
        tag_to_lark({"format": form}, json.dumps)
