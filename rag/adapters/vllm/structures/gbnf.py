"""Grammars in EBNF (GBNF), as llama.cpp and xgrammar read them, translated into Lark for llguidance.

llguidance's own translation fails on escapes, on a rule named `start`, and on names that differ only in their case
(docs/bentoml_issues.md#v13).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from rag.adapters.vllm.structures.lark import HEADER, lark_literal, repetitions

_TOKEN = re.compile(
    r"""(?P<blank>\s+|\#[^\n]*)
    |(?P<name>[A-Za-z_][\w.-]*)(?P<begins>\s*::=)?
    |"(?P<literal>(?:[^"\\\n]|\\.)*)"
    |\[(?P<chars>(?:[^\]\\\n]|\\.)*)\]
    |\{\s*(?P<least>\d+)\s*(?P<comma>,)?\s*(?P<most>\d*)\s*\}
    |(?P<sign>[()|*+?.])""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(?:u\{([0-9a-fA-F]+)\}|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v", "a": "\a", "0": "\0"}
_CLASSES = frozenset("dDsSwW")
_ROOT = "root"


def to_lark(grammar: str) -> str:
    """The grammar in Lark. Rules that are not recursive become terminals, which llguidance matches fastest.

    Raises:
        ValueError: this is no grammar; says where.
    """
    rules = _rules(grammar)
    names = [name for tokens in rules.values() for kind, name in tokens if kind == "name"]
    if (unknown := next((name for name in (_ROOT, *names) if name not in rules), None)) is not None:
        raise ValueError(f"the rule {unknown!r} is not defined")
    recursive = _recursive(rules)
    renamed = {name: f"r{i}" if name in recursive else f"T{i}" for i, name in enumerate(rules)}
    lines = [f"{renamed[name]}: {_body(tokens, renamed)}" for name, tokens in rules.items()]
    return "\n".join([f"{HEADER}start: {renamed[_ROOT]}", *lines, ""])


def _rules(grammar: str) -> dict[str, list[tuple[str, str]]]:
    """The tokens of each rule: their kind, and a name or what Lark writes for it."""
    rules: dict[str, list[tuple[str, str]]] = {}
    rule: list[tuple[str, str]] | None = None
    for found in _tokens(grammar):
        if found["begins"] is not None:
            if found["name"] in rules:
                raise ValueError(f"the rule {found['name']!r} is defined twice")
            rule = rules[found["name"]] = []
        elif found["blank"] is None:
            if rule is None:
                raise ValueError(f"{_place(found)}: expected a rule, such as root ::= ...")
            rule.append(("name", found["name"]) if found["name"] is not None else ("other", _in_lark(found)))
    return rules


def _tokens(grammar: str) -> Iterator[re.Match[str]]:
    position = 0
    while position < len(grammar):
        found = _TOKEN.match(grammar, position)
        if found is None:
            raise ValueError(f"line {grammar.count(chr(10), 0, position) + 1}: unexpected {grammar[position]!r}")
        yield found
        position = found.end()


def _place(found: re.Match[str]) -> str:
    return f"line {found.string.count(chr(10), 0, found.start()) + 1}"


def _in_lark(found: re.Match[str]) -> str:
    if found["literal"] is not None:
        return lark_literal(_ESCAPE.sub(_character, found["literal"]))
    if found["chars"] is not None:
        return _class(found["chars"])
    if found["least"] is not None:
        least = int(found["least"])
        most = (int(found["most"]) if found["most"] else None) if found["comma"] else least
        return "{0}" if most == 0 else repetitions(least, most)
    return r"/[\s\S]/" if found["sign"] == "." else found["sign"]


def _character(found: re.Match[str]) -> str:
    code = next(filter(None, found.groups()[:4]), None)
    if code is None:
        return _CONTROLS.get(found[5], found[5])
    if int(code, 16) > 0x10FFFF or 0xD800 <= int(code, 16) < 0xE000:
        raise ValueError(f"{found[0]}: is not a character")
    return chr(int(code, 16))


def _class(chars: str) -> str:
    """A character class as a regular expression, in which every character but `^` and `-` is a number."""
    negated = chars.startswith("^")
    written, position, body = [], 0, chars[negated:]
    while position < len(body):
        found = _ESCAPE.match(body, position)
        if found is not None and found[5] in _CLASSES:
            written.append(found[0])
        elif found is None and body[position] == "-" and 0 < position < len(body) - 1:
            written.append("-")
        else:
            written.append(f"\\x{{{ord(body[position] if found is None else _character(found)):x}}}")
        position = position + 1 if found is None else found.end()
    if not written:
        return r"/[\s\S]/" if negated else r"/[^\s\S]/"
    return f"/[{'^' if negated else ''}{''.join(written)}]/"


def _body(tokens: list[tuple[str, str]], renamed: Mapping[str, str]) -> str:
    """One line. Lark has no empty alternatives, so they become empty texts."""
    written: list[str] = []
    for kind, text in tokens:
        if text in ("|", ")") and (not written or written[-1] in ("|", "(")):
            written.append('""')
        if text == "{0}" and kind == "other":
            _drop_last(written)
            written.append('""')
        else:
            written.append(renamed[text] if kind == "name" else text)
    if not written or written[-1] == "|":
        written.append('""')
    return " ".join(written)


def _drop_last(written: list[str]) -> None:
    """Remove what is repeated zero times: a token, or everything in the last parentheses."""
    depth = 0
    while written:
        token = written.pop()
        depth += (token == ")") - (token == "(")
        if depth <= 0:
            return


def _recursive(rules: Mapping[str, list[tuple[str, str]]]) -> set[str]:
    """The rules that use themselves, or rules that do."""
    users: dict[str, set[str]] = {name: set() for name in rules}
    left: dict[str, set[str]] = {}
    for name, tokens in rules.items():
        left[name] = {text for kind, text in tokens if kind == "name"}
        for used in left[name]:
            users[used].add(name)
    ready = [name for name, uses in left.items() if not uses]
    finite: set[str] = set()
    while ready:
        name = ready.pop()
        finite.add(name)
        for user in users[name]:
            left[user].discard(name)
            if not left[user] and user not in finite:
                ready.append(user)
    return {*rules} - finite
