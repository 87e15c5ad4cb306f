from __future__ import annotations

from pathlib import Path

import pytest

from rag.errors import ParsingLimit
from rag.readers.html.reader import parse_html
from tests.support.sample_files import read_content

MENU = """<!doctype html><html lang="en"><head><title>Menu</title><style>STYLE</style></head><body>
<h1>Menu</h1><p>Soup <b>costs</b> 5_euro * 2.</p><script>SCRIPT</script><!-- COMMENT --><template>T</template>
<noscript>NO</noscript><div style="Display : none">HIDDEN <p>DEEP</p></div><p hidden>HIDDEN</p>
<h2>Drinks</h2><table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td colspan="1000">2</td></tr></table>
<a href="javascript:alert(1)">link</a></body></html>"""


def text_of(html: str) -> str:
    return "\n\n".join(block.text for block in parse_html(html).blocks)


def test_html_becomes_markdown(tmp_path: Path) -> None:
    extract = read_content(tmp_path, MENU, "menu.html")
    assert extract.text == (
        "# Menu\n\nSoup **costs** 5_euro * 2.\n\n## Drinks\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\nlink"
    )
    assert [heading.path for heading in extract.headings] == ["Menu", "Menu > Drinks"]
    assert extract.text[extract.headings[1].start :].startswith("## Drinks")
    assert (extract.media_type, extract.is_markdown) == ("text/html", True)
    assert (extract.title, extract.language) == ("Menu", "en")


def test_html_says_its_own_encoding(tmp_path: Path) -> None:
    html = "<html><head><meta charset='iso-8859-2'></head><body>Zażółć</body></html>"
    assert read_content(tmp_path, html.encode("iso-8859-2"), "a.html").text == "Zażółć"


def test_a_page_without_a_heading_is_under_its_title(tmp_path: Path) -> None:
    extract = read_content(tmp_path, "<html><head><title>The page</title><p>head never closed", "a.htm")
    assert extract.text == "# The page\n\nhead never closed"


def test_xhtml_with_an_xml_declaration(tmp_path: Path) -> None:
    html = '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml"><body><p>Käse</p></body></html>'
    assert read_content(tmp_path, html, "a.xhtml").text == "Käse"


def test_elements_nested_too_deeply_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ParsingLimit, match=r"deep\.html has elements nested too deeply"):
        read_content(tmp_path, "<div>" * 20_000 + "x", "deep.html")


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a\n  b&nbsp;&nbsp;c<br>d", "a b c\nd"),
        ("<b> bold </b>text<i></i>", "**bold** text"),
        ("<b><div>one</div>two</b>three", "one\n\ntwothree"),
        ("x<b><p>two</b>", "x\n\ntwo"),
        ("<ul><li>a<ul><li>b</ul><li>c</ul>", "- a\n  - b\n- c"),
        ("<ol><li>a<p>b<li>c</ol>", "1. a\n   b\n2. c"),
        ("<ul><li><h2>A</h2>x<li>y</ul>", "## A\n\nx\n\n- y"),
        ("<pre>\n a\n  `b`</pre>", "```\n a\n  `b`\n```"),
        ("<pre>``` x</pre>", "````\n``` x\n````"),
        ("<blockquote><p>q<p>r</blockquote>", "> q\n>\n> r"),
        ("<dl><dt>T<dd>D</dl><hr>", "T: D\n\n---"),
        ("<h2>A<br>B <code>c</code></h2>", "## A B `c`"),
        ("<p>a</p></body></html> behind", "a\n\nbehind"),
        ("<svg><title>T</title><text>x</text></svg><p>a</p>", "a"),
        ("<p>a<script>1</script>b<!-- c -->d", "abd"),
    ],
)
def test_elements(html: str, text: str) -> None:
    assert text_of(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>At most 3 × 10<sup>6</sup> cells. Revenue<sup>2</sup> rose.", "At most 3 × 10^6 cells. Revenue (2) rose."),
        ("<p>about 5 m<sup>2</sup>, CO<sub>2</sub> and <b>V</b><sub>max</sub>", "about 5 m^2, CO2 and **V**_max"),
        ("<h2>Flow in m<sup>3</sup></h2>", "## Flow in m^3"),
        ('<p>It sank<sup class="reference"><a href="#cite_note-1">[1]</a></sup> in 1912.', "It sank in 1912."),
        ('<p>It sank<a href="#fn1" role="doc-noteref"><sup>1</sup></a> in 1912.', "It sank in 1912."),
        ('<p id="fn1">Okafor <a href="#ref1">↩︎</a></p>', "Okafor"),
        ("<p><ruby>漢<rp>(</rp><rt>かん</rt><rp>)</rp></ruby><ruby>字<rt>じ</rt></ruby>です", "漢字です"),
        ("<math><mi>E</mi><mo>=</mo><mi>m</mi><msup><mi>c</mi><mn>2</mn></msup></math>", "E = mc^2"),
        ("<p>x is <math><mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><msqrt><mn>2</mn></msqrt></mfrac></math>",
         "x is (a + b)/√2"),
        ("<p>Done <input type=checkbox checked> Late<input type=checkbox>", "Done ☑ Late ☐"),
        ("<label>Name:<input value='Ada'></label>"
         "<input type=password value=x><input type=submit value=y>", "Name: Ada"),
        ("<p>Kind <select><option>A<option selected>B</select>", "Kind B"),
        ("<p>Note <textarea>two\nlines</textarea>", "Note two lines"),
        ("<dl><dt>Pressure:<dd>4 bar<dt>Flow<dt>Rate<dd>2 l/s<dd>at least</dl>",
         "Pressure: 4 bar\nFlow, Rate: 2 l/s\nFlow, Rate: at least"),
        ("<dl><div><dt>A</dt><dd><p>one<p>two</dd></div><div><dt>B</dt></div></dl>", "A: one\n\ntwo\n\nB"),
        ("<ol start=4><li>d<li value=7>g<li>h</ol>", "4. d\n7. g\n8. h"),
    ],
)  # fmt: skip
def test_text_that_would_run_together(html: str, text: str) -> None:
    assert text_of(html) == text


def test_the_title_of_a_picture_is_not_the_title_of_the_page(tmp_path: Path) -> None:
    html = "<html><body><svg><title>Logo</title></svg><h1>Pumps</h1><p>text</p></body></html>"
    assert read_content(tmp_path, html, "a.html").title == "Pumps"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<table><tr><th>A<th>B<tr><td rowspan=3>x<td>1<tr><td>2</table>",
         "| A | B |\n| --- | --- |\n| x | 1 |\n| x | 2 |"),
        ("<table><tr><td>a|b<td>c<br>d</table>", "a|b; c d"),
        ("<table><caption>Prices</caption><tr><th>A<th>B<tr><td>1<td>2</table>",
         "Prices\n\n| A | B |\n| --- | --- |\n| 1 | 2 |"),
        ("<table><tr><td><table><tr><th>A<th>B<tr><td>1<td>2</table><td>side</table>",
         "| A | B |\n| --- | --- |\n| 1 | 2 |\n\nside"),
        ("<table><tr><td><h1>Layout</h1><p>x<td>y</table>", "# Layout\n\nx\n\ny"),
        ("<table><tr><td>one<tr><td>column</table>", "one\n\ncolumn"),
    ],
)  # fmt: skip
def test_tables(html: str, text: str) -> None:
    assert text_of(html) == text


def test_spans_do_not_multiply() -> None:
    cell = f'<td rowspan="1000" colspan="1000">{"x" * 300}</td>'
    assert len(text_of("<table>" + f"<tr>{cell * 3}</tr>" * 100 + "</table>")) < 300 * 300 + 5000


def test_rows_of_a_large_table_say_their_columns() -> None:
    rows = "".join(f"<tr><td>City {n}</td><td>{n}</td></tr>" for n in range(50))
    lines = text_of(f"<table><tr><th>Name</th><th>Inhabitants</th></tr>{rows}</table>").split("\n")
    assert (len(lines), lines[49]) == (50, "- Name: City 49; Inhabitants: 49")
