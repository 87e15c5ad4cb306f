"""What Markdown and notebooks hold besides text: front matter, comments, pictures, code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rag.errors import BrokenFile
from tests.support.files.sample_files import read_content

PICTURE = "data:image/png;base64," + "iVBORw0KGgo" * 500


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (f"a\n\n![sketch]({PICTURE})\n\nb", "a\n\nsketch\n\nb"),
        (f'a ![a "b"](<{PICTURE}> "title") b', 'a a "b" b'),
        (f'a <img width=1 src="{PICTURE}" alt="the pump"/> b', "a the pump b"),
        (f"a ![the pump][img] b\n\n[img]: {PICTURE}\n", "a the pump b\n\n"),
        (f"a ![img] b\n\n[img]: <{PICTURE}>", "a img b\n\n"),
    ],
)
def test_pictures_become_their_alt_text(content: str, text: str, tmp_path: Path) -> None:
    extract = read_content(tmp_path, content, "a.md")
    assert (extract.text, extract.warnings) == (text, ("1 picture was not read",))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("a <!-- PIN 1234 --> b\n\n<!--\nadmin\n\n# PIN\n-->\n\n# C", "a b\n\n\n\n# C"),
        (
            "```html\n<!-- kept -->\n```\n\n`<!-- kept -->` <!-- no -->",
            "```html\n<!-- kept -->\n```\n\n`<!-- kept -->` ",
        ),
        ("a <!-- never closed", "a <!-- never closed"),
        ("    <!-- code -->\n\n![x](y.png)", "    <!-- code -->\n\n![x](y.png)"),
    ],
)
def test_comments_are_dropped_outside_code(content: str, text: str, tmp_path: Path) -> None:
    extract = read_content(tmp_path, content, "a.md")
    assert (extract.text, extract.warnings) == (text, ())


def test_headings_stand_where_they_are_after_cleaning(tmp_path: Path) -> None:
    extract = read_content(tmp_path, f"# A\n\n<!-- x -->\n![p]({PICTURE})\n\n## B\n", "a.md")
    assert [extract.text[heading.start :][:4] for heading in extract.headings] == ["# A\n", "## B"]


@pytest.mark.parametrize(
    ("content", "lines", "title"),
    [
        ("---\ntitle: A\ndate: 2024-01-02\nno: no\ntags: [x, y]\nempty:\n---\n",
         "title: A\ndate: 2024-01-02\nno: no\ntags: x, y", "A"),
        ("---\nauthor:\n  name: Ada\nabout: >\n  two\n  lines\n---\n", "author.name: Ada\nabout: two lines", ""),
        ('+++\ntitle = "A"\ntags = ["x", "y"]\n+++\n', "title: A\ntags: x, y", "A"),
        ("---\na: &x [1]\nb: *x\n---\n", "a: &x [1]\nb: *x", ""),
        ("---\ntitle: 'never closed\n---\n", "title: 'never closed", ""),
    ],
)  # fmt: skip
def test_front_matter(content: str, lines: str, title: str, tmp_path: Path) -> None:
    extract = read_content(tmp_path, f"{content}\ntext", "a.md")
    assert (extract.text, extract.title) == (f"{lines}\n\ntext", title)


def notebook(*cells: dict[str, object]) -> str:
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells})


def code(source: str, *outputs: dict[str, object]) -> dict[str, object]:
    return {"cell_type": "code", "source": source.splitlines(keepends=True), "outputs": outputs}


@pytest.mark.parametrize("filename", ["a.ipynb", "a.json"])
def test_notebooks(filename: str, tmp_path: Path) -> None:
    content = notebook(
        {"cell_type": "markdown", "source": ["# Pumps\n", "\n", "![plan](attachment:plan.png)"]},
        code(
            "# load\nprint(1)",
            {"output_type": "stream", "name": "stdout", "text": ["1\n"]},
            {"output_type": "execute_result", "data": {"text/html": "<b>2</b>", "text/plain": "2"}},
            {"output_type": "display_data", "data": {"image/png": "iVBOR" * 99, "text/plain": "<Figure>"}},
            {"output_type": "error", "ename": "ValueError", "evalue": "bad", "traceback": ["\x1b[31m..."]},
        ),
        {"cell_type": "markdown", "source": "## End"},
    )
    extract = read_content(tmp_path, content, filename)
    assert extract.text == (
        "# Pumps\n\nplan\n\n```python\n# load\nprint(1)\n```\n\n"
        "```\n1\n```\n\n```\n2\n```\n\n```\nValueError: bad\n```\n\n## End"
    )
    assert ([heading.path for heading in extract.headings], extract.title) == (["Pumps", "Pumps > End"], "Pumps")
    assert (extract.warnings, extract.is_markdown) == (("2 pictures were not read",), True)


def test_fences_in_notebooks_are_longer_than_those_in_their_code(tmp_path: Path) -> None:
    text = read_content(tmp_path, notebook(code('"""\n```\n# no heading\n```\n"""')), "a.ipynb").text
    assert text.startswith("````python\n")
    assert text.endswith("\n````")


@pytest.mark.parametrize("content", ["{}", "[1]", "not JSON", '{"cells": 5}'])
def test_what_is_no_notebook(content: str, tmp_path: Path) -> None:
    with pytest.raises(BrokenFile, match=r"^a\.ipynb is not a notebook"):
        read_content(tmp_path, content, "a.ipynb")


@pytest.mark.parametrize("content", ["<!--" * 50_000, "<img " * 50_000 + PICTURE, "![a" * 50_000 + PICTURE])
@pytest.mark.timeout(60)
def test_cleaning_takes_linear_time(content: str, tmp_path: Path) -> None:
    assert read_content(tmp_path, content, "a.md").text == content


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("a\n\n[//]: # (PIN 1234)\n\nb", "a\n\n\nb"),
        ('a\n\n[comment]: <> "PIN 1234"\n\nb', "a\n\n\nb"),
        ("a\n\n[x]: # (a link)\n\n[x]", "a\n\n[x]: # (a link)\n\n[x]"),
    ],
)
def test_link_definitions_that_stand_for_comments_are_dropped(content: str, text: str, tmp_path: Path) -> None:
    assert read_content(tmp_path, content, "a.md").text == text


def test_only_mdx_has_comments_in_braces(tmp_path: Path) -> None:
    content = "a {/* PIN\n1234 */}b\n\n```js\n{/* kept */}\n```\n"
    assert read_content(tmp_path, content, "a.mdx").text == "a b\n\n```js\n{/* kept */}\n```\n"
    assert read_content(tmp_path, content, "a.md").text == content


def test_dates_in_toml_are_text(tmp_path: Path) -> None:
    extract = read_content(tmp_path, '+++\ntitle = "A"\ndate = 2026-04-01\nat = 07:30:00\nv = 1.10\n+++\nb', "a.md")
    assert extract.text == "title: A\ndate: 2026-04-01\nat: 07:30:00\nv: 1.10\n\nb"


def test_html_tables_become_markdown_tables(tmp_path: Path) -> None:
    table = "<table>\n<tr><th>Code</th><th>Fault</th></tr>\n<tr><td>F1</td><td>10<sup>6</sup> A</td></tr>\n</table>"
    content = f"# A\n\n{table}\nb\n\n```html\n{table}\n```\n\n`<table></table>` <table>c"
    text = read_content(tmp_path, content, "a.md").text
    markdown = "| Code | Fault |\n| --- | --- |\n| F1 | 10^6 A |"
    assert text == f"# A\n\n\n{markdown}\n\nb\n\n```html\n{table}\n```\n\n`<table></table>` <table>c"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("10<sup>6</sup> Hz, CO<sub>2</sub>, `x<sup>2</sup>`", "10^6 Hz, CO2, `x<sup>2</sup>`"),
        ("Revenue<sup>2</sup> and Costs<sup>[3](#n3)</sup>", "Revenue (2) and Costs"),
        ("Kraft&shy;fahrzeug, 4&nbsp;bar, &copy;, &lt;b&gt; &amp; `&nbsp;`",
         "Kraftfahrzeug, 4\xa0bar, ©, &lt;b&gt; &amp; `&nbsp;`"),
    ],
)  # fmt: skip
def test_scripts_and_character_references_are_text(content: str, text: str, tmp_path: Path) -> None:
    assert read_content(tmp_path, content, "a.md").text == text
