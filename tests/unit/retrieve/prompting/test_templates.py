"""Prompt templates; an unusable one is a setup error with its file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.errors import InternalError, SetupError
from rag.retrieve.prompting.template_check import open_templates
from rag.retrieve.prompting.templates import QUOTE, SEARCH, SUMMARY, SYSTEM, USER, PassageText, Templates

GOOD = "{{ question }}{% for p in passages %}{{ fence.open }}[{{ p.number }}] {{ p.text }}{{ fence.close }}{% endfor %}"
SEARCH_WITHOUT_KNOWN = GOOD.replace("{{ question }}", "")
PASSAGE = PassageText(1, "The sea is blue.", "sea.md > Colours", "sea.md", "Colours", None)


def folder(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        (tmp_path / f"{name}.jinja").write_text(text)
    return tmp_path


def refusal(path: Path, *, fence: bool = True) -> str:
    with pytest.raises(SetupError) as caught:
        open_templates(path, fence=fence)
    assert caught.value.param == "RAG_PROMPT__FOLDER"
    return caught.value.message


def test_missing_templates_come_from_the_package(tmp_path: Path) -> None:
    default = open_templates(None, fence=True)
    own = open_templates(folder(tmp_path, system="Answer in Latin."), fence=True)
    assert own.system() == "Answer in Latin."
    assert own.user("Why?", [PASSAGE]) == default.user("Why?", [PASSAGE])
    assert "[1] The sea is blue.\n(from sea.md > Colours)" in own.user("Why?", [PASSAGE])


def test_templates_have_all_fields_of_a_passage_and_can_include_others(tmp_path: Path) -> None:
    user = '{% include "one.jinja" %}{% for p in passages %}{{ p.filename }}|{{ p.heading }}|{{ p.page }}{% endfor %}'
    path = folder(tmp_path, user=GOOD + user, one="{{ question | upper }}")
    text = open_templates(path, fence=True).user("Why?", [PASSAGE])
    assert "WHY?" in text
    assert "sea.md|Colours|None" in text


def test_values_are_never_rendered_as_templates() -> None:
    text = open_templates(None, fence=True).user("{{ 7 * 7 }} <b>", [])
    assert text == "Question: {{ 7 * 7 }} <b>"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"user": "{{ question }\n"}, ("user.jinja, line 1: ",)),
        ({"user": "\n\n{% for p in passages %}"}, ("user.jinja, line 3: ", "endfor")),
        ({"user": GOOD + "\n{{ questoin }}"}, ("user.jinja, line 2: ", "variable questoin; did you mean question?")),
        ({"system": "x\n{% if question %}y{% endif %}"}, ("system.jinja, line 2: ", "question; available: fence")),
        ({"user": GOOD + "\n{% for p in passages %}{{ p.title }}{% endfor %}"}, ("user.jinja, line 2: ", "title")),
        ({"user": GOOD + "\n{% if passages %}{{ 1 / 0 }}{% endif %}"}, ("user.jinja, line 2: ", "division")),
        ({"user": GOOD + '\n{% include "absent.jinja" %}'}, ("user.jinja, line 2: 'absent.jinja'",)),
        ({"user": GOOD + '{% include "o.jinja" %}', "o": "\n{{ x }"}, ("o.jinja, line 2: ",)),
        ({"user": GOOD + '{% include "o.jinja" %}', "o": "\n\n{{ x }}"}, ("o.jinja, line 3: 'x' is undefined",)),
        ({"user": GOOD.replace("{{ question }}", "")}, ("user.jinja, line 1: leaves out the question",)),
        ({"user": "{{ question }}"}, ("user.jinja, line 1: leaves out the passages",)),
        ({"user": GOOD.replace("[{{ p.number }}]", "")}, ("leaves out the passages' numbers",)),
        ({"user": GOOD.replace("{{ fence.close }}", "")}, ("not between {{ fence.open }} and {{ fence.close }}",)),
        ({"user": "{{ ''.__class__.__mro__ }}" + GOOD}, ("user.jinja, line 1: ", "unsafe")),
        ({"quote": "{{ quotes | join }}"}, ("quote.jinja", "leaves out the question")),
        ({"quote": "{{ question }}"}, ("quote.jinja", "leaves out the quotes")),
        ({"search": "{{ known }}"}, ("search.jinja, line 1: leaves out the passages",)),
        ({"search": SEARCH_WITHOUT_KNOWN}, ("search.jinja, line 1: leaves out the numbers",)),
        ({"else": "x"}, ("has none of system.jinja, user.jinja, quote.jinja, search.jinja",)),
    ],
)  # fmt: skip
def test_an_unusable_template_is_named(tmp_path: Path, files: dict[str, str], expected: tuple[str, ...]) -> None:
    message = refusal(folder(tmp_path, **files))
    assert str(tmp_path) in message
    assert all(part in message for part in expected), message


def test_a_binary_file_is_named(tmp_path: Path) -> None:
    (tmp_path / USER).write_bytes(b"\xff\xfe{{")
    assert "user.jinja, line 1: could not be read" in refusal(tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert "absent is not a folder" in refusal(tmp_path / "absent")


def test_a_template_without_a_fence_is_valid_if_fences_are_off(tmp_path: Path) -> None:
    path = folder(tmp_path, user=GOOD.replace("{{ fence.open }}", "").replace("{{ fence.close }}", ""))
    assert "FENCE=false" in refusal(path)
    assert open_templates(path, fence=False).user("Why?", [PASSAGE]) == "Why?[1] The sea is blue."


def test_a_rendering_failure_is_an_internal_error(tmp_path: Path) -> None:
    path = folder(tmp_path, user=GOOD + '{% if question == "x" %}{{ 1 / 0 }}{% endif %}')
    with pytest.raises(InternalError, match=r"user\.jinja"):
        open_templates(path, fence=True).user("x", [])


def test_the_version_depends_on_templates_and_options(tmp_path: Path) -> None:
    seen = {Templates(None, has_fence=fence).version for fence in (True, False)}
    for text in ("one", "two"):
        seen.add(Templates(folder(tmp_path, system=text), has_fence=True).version)
    (tmp_path / "part.jinja").write_text("included")
    seen.add(Templates(tmp_path, has_fence=True).version)
    assert len(seen) == 5
    assert Templates(tmp_path, has_fence=True).version in seen


def test_defaults_are_in_the_package() -> None:
    templates = Templates(None, has_fence=True)
    assert sorted(templates.environment.list_templates(["jinja"])) == [QUOTE, SEARCH, SUMMARY, SYSTEM, USER]
