from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from rag.errors import NoTextFound, ParsingLimit
from rag.readers.html.reader import parse_html
from tests.support.files.sample_files import read_content

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


ARTICLE = "<p>" + "The pump PX-7 delivers 40 litres a minute at 6 bar. " * 4 + "</p>"


def page_text(tmp_path: Path, html: str) -> tuple[str, tuple[str, ...]]:
    extract = read_content(tmp_path, html, "page.html")
    return extract.text, extract.warnings


@pytest.mark.parametrize(
    "boilerplate",
    [
        "<nav><a href=/>Home</a> <a href=/shop>Shop</a></nav>",
        "<div role=navigation>Home Shop</div>",
        "<header><a href=/>ACME</a> The pump people</header>",
        "<footer>ACME Ltd, all rights reserved</footer>",
        "<aside>Read next: valves</aside>",
        "<div role=dialog>We value your privacy</div>",
        "<div class=cookie-banner>We use cookies. <button>Accept</button></div>",
        "<div id=sidebar>Popular posts</div>",
        "<div class='social share-links'><a href=x>Tweet</a> <a href=y>Mail</a></div>",
        "<div><a href=1>Valves</a> <a href=2>Seals</a> <a href=3>Motors</a></div>",
        "<a href=#main>Skip to main content</a>",
        "<div aria-hidden=true>menu</div>",
    ],
)
def test_boilerplate_around_the_document_is_left_out_and_reported(tmp_path: Path, boilerplate: str) -> None:
    text, warnings = page_text(tmp_path, f"<body>{boilerplate}<main><h1>Pump</h1>{ARTICLE}</main>{boilerplate}</body>")
    assert text == page_text(tmp_path, f"<h1>Pump</h1>{ARTICLE}")[0]
    assert len(warnings) == 1
    assert re.fullmatch(r"navigation and other boilerplate was left out \([\d,]+ characters\)", warnings[0])


@pytest.mark.parametrize(
    "content",
    [
        "<aside>Warning: hot surface</aside>",
        "<header><h1>Pump</h1>by Ada</header>",
        "<footer>Revision 3</footer>",
        "<section id=cookies><h2>Cookies</h2>How the server sets cookies.</section>",
        "<div class='section' id='navigation'><h2>Navigation</h2>How to navigate.</div>",
        "<ul><li><a href=1>Valves</a><li><a href=2>Seals</a><li><a href=3>Motors</a></ul>",
        "<div class='has-sidebar'>A paragraph.</div>",
        "<div class='hatnote navigation-not-searchable'>See also: <a href=x>Valves</a></div>",
        "<div class='elementor-widget-text'>A paragraph.</div>",
        "<div class=search-result><p>Valve V1</p><button>Open</button></div>",
        "<div class=menu><p>Soup of the day</p><p>5 EUR</p></div>",
        "<div aria-hidden=true>The second tab</div>",
        "<aside role=doc-footnote>Measured at 20 °C</aside>",
    ],
)
@pytest.mark.parametrize("document", ["<main>{}</main>", "<article>{}</article>", "<div>{}</div>"])
def test_content_that_looks_like_boilerplate_stays(tmp_path: Path, content: str, document: str) -> None:
    html = f"<body>{document.format(content + ARTICLE)}</body>"
    assert page_text(tmp_path, html) == ("\n\n".join(block.text for block in parse_html(html).blocks), ())


@pytest.mark.parametrize(
    "html",
    [
        f"<body><header>ACME</header>{ARTICLE}<aside>Note</aside><footer>Revision 3</footer></body>",
        "<body><nav><a href=1>Valves</a> <a href=2>Seals</a></nav><p>5 EUR</p></body>",
        f"<body><main><p>Short</p></main><aside>{ARTICLE}</aside></body>",
        f"<body><header><h1>Pump</h1></header><main>{ARTICLE}</main></body>",
        "<body>" + f"<div class=newsletter><p>{ARTICLE[:150]}</p><button>More</button></div>" * 20 + "</body>",
    ],
)
def test_a_page_that_does_not_mark_its_document_or_has_none_keeps_everything(tmp_path: Path, html: str) -> None:
    assert page_text(tmp_path, html) == ("\n\n".join(block.text for block in parse_html(html).blocks), ())


def test_hidden_and_embedded_content_is_reported(tmp_path: Path) -> None:
    text, warnings = page_text(
        tmp_path,
        "<p>a</p><p hidden>secret</p><p hidden=until-found>b</p><iframe src=x></iframe><iframe src=y width=0></iframe>"
        "<video>Get a browser<source src=x></video><video></video><canvas>c</canvas><object data=x>o<embed></object>"
        "<svg><path/></svg><script type='application/ld+json'>{}</script>",
    )
    assert text == "a\n\nb"
    assert warnings == (
        "hidden text was left out (6 characters)",
        "1 drawing was not read",
        "1 embedded object was not read",
        "1 embedded page was not read",
        "2 videos were not read",
    )


@pytest.mark.parametrize("mark", ["<div id=root></div>", "<noscript>Enable JavaScript!</noscript>"])
def test_a_page_that_needs_javascript_is_reported(tmp_path: Path, mark: str) -> None:
    text, warnings = page_text(tmp_path, f"<title>Shop</title><body>{mark}<p>Loading</p><script src=a.js></script>")
    assert (text, warnings) == ("# Shop\n\nLoading", ("the page has almost no text without JavaScript",))
    with pytest.raises(NoTextFound, match="no text without JavaScript"):
        page_text(tmp_path, f"<title>Shop</title><body>{mark}<script src=a.js></script>")


def test_a_description_is_read_if_the_page_does_not_say_it(tmp_path: Path) -> None:
    head = "<meta name=description content='Delivery time of the pump: nine weeks'>"
    assert page_text(tmp_path, f"{head}<h1>Pump</h1><p>40 l")[0] == (
        "# Pump\n\nDelivery time of the pump: nine weeks\n\n40 l"
    )
    body = "<h1>Pump</h1><p>The delivery time of the pump is nine weeks."
    assert page_text(tmp_path, head + body)[0] == page_text(tmp_path, body)[0]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<img src=x alt='a pump with two valves'>", "Picture: a pump with two valves"),
        ("<p>Press <img alt='green button'> now", "Press (picture: green button) now"),
        ("<h1><img alt='ACME Pumps'></h1>", "# ACME Pumps"),
        ("<a href=x><img alt='Next page'></a>", "Next page"),
        ("<a href=x><img alt='Valves'>Valves</a>", "Valves"),
        ("<figure><img alt='A valve'><figcaption>A valve, open</figcaption></figure>", "A valve, open"),
        ("<p>a <img alt=''><img><img alt='IMG_0042.jpg'><img alt='Company logo'><img alt=photo> b", "a b"),
        ("<p>Well done <img alt='👍'>", "Well done 👍"),
        ("<p>If <span style='display:none'><math><mi>A</mi></math></span><img alt='{\\displaystyle A}'> holds",
         "If A holds"),
        ("<h2>Flow<a href=#flow class=headerlink>¶</a></h2>", "## Flow"),
        ("<pre><code class='language-python'>def f():<br>    pass</code></pre>", "```python\ndef f():\n    pass\n```"),
        ("<div class='highlight-sh notranslate'><div class=highlight><pre>ls<button>Copy</button></pre></div></div>",
         "```sh\nls\n```"),
        ("<table><tr><td class=linenos><pre>1\n2</pre><td><pre>a\n  b</pre></table>", "```\na\n  b\n```"),
        ("<pre><span class=lineno>1</span>a\n<span class=lineno>2</span>  b</pre>", "```\na\n  b\n```"),
        ("<details><summary>Why?</summary>Because.</details>", "Why?\n\nBecause."),
        ("<p>Now <del>5</del> 7 EUR", "Now ~~5~~ 7 EUR"),
    ],
)  # fmt: skip
def test_pictures_and_code(html: str, text: str) -> None:
    assert text_of(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<thead><tr><th rowspan=2>Region<th colspan=2>2023<th>2024<tr><th>Q1<th>Q2<th>Q1</thead>"
         "<tr><td>North<td>1<td><td>3<tr><td>South<td colspan=2>9<td>7",
         "| Region | 2023 / Q1 | 2023 / Q2 | 2024 / Q1 |\n| --- | --- | --- | --- |\n"
         "| North | 1 |  | 3 |\n| South | 9 | 9 | 7 |"),
        ("<tr><th colspan=2>Prices<tr><th>A<th>B<tr><td>1<td>2", "Prices\n\n| A | B |\n| --- | --- |\n| 1 | 2 |"),
        ("<tr><td><b>Name</b><td><b>Part</b><tr><td>pump<td>PX", "| Name | Part |\n| --- | --- |\n| pump | PX |"),
    ],
)  # fmt: skip
def test_column_names(html: str, text: str) -> None:
    assert text_of(f"<table>{html}</table>") == text


def test_years_and_empty_cells_of_a_large_table() -> None:
    rows = "".join(f"<tr><td>Revenue of part {n}<td>{n}<td>" for n in range(40))
    first = text_of(f"<table><tr><td><td>2023<td>2024{rows}<tr><td>Sum<td>7<td>8</table>").split("\n")[0]
    assert first == "- Revenue of part 0; 2023: 0; 2024: (empty)"


def test_a_table_of_paragraphs_is_layout() -> None:
    long = "Text in a column. " * 40
    assert text_of(f"<table><tr><td><p>{long}<ul><li>x</ul><td>side</table>") == f"{long.strip()}\n\n- x\n\nside"


def test_short_spans_do_not_multiply_without_limit() -> None:
    row = f"<tr><td>a<td rowspan=1000 colspan=1000>{'y' * 150}"
    assert len(text_of("<table><tr>" + "<td>x" * 300 + row * 300 + "</table>")) < 2_000_000


def test_thousands_of_pictures_in_a_line_take_linear_time() -> None:
    start = time.process_time()
    text_of("<p>" + "<img alt='a b c'>" * 20_000 + "<input value=x>" * 20_000)
    assert time.process_time() - start < 20


@pytest.mark.parametrize(
    ("alt", "text"),
    [
        ("PX-7731", "Picture: PX-7731"),
        ("Follow the arrow", "Picture: Follow the arrow"),
        ("Share on Facebook", ""),
        ("Screenshot 2024-01-02 at 10.png", ""),
        ("IMG 0042", ""),
    ],
)
def test_alternative_text_that_says_nothing(alt: str, text: str) -> None:
    assert text_of(f"<img alt='{alt}'>") == text
    assert text_of("<table><tr><th>A<th>B<tr><td>x<td><img alt='Yes'></table>").endswith("| x | Yes |")


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<style>.c1{color:red;vertical-align:super}.c2 { vertical-align: sub }</style>"
         "<p>10<span class=c1>16</span> m, CO<span class='x c2'>2</span>", "10^16 m, CO2"),
        ("<p>10<span style='font-size:70%; vertical-align:super'>9</span> <span style='vertical-align:top'>x</span>",
         "10^9 x"),
        ("<p>as in <a href='#r1'>[1]</a>; <a id=r1 href='#x'>[12]</a> Smith; <sup>[3]</sup>; <a href='/y'>[4]</a>",
         "as in (1); (12) Smith; (3); [4]"),
        ("<ol type=a start=3><li>x<li>y</ol><ol type=I><li>x<li>y</ol>", "c. x\nd. y\n\nI. x\nII. y"),
        ("<ol reversed><li>x<li>y</ol>", "2. x\n1. y"),
        ("<div><div class=spec-label>Weight</div>\n<div class=spec-value>12 <b>kg</b></div>"
         "<div class=label>Medium:</div><div class=value>water</div></div>", "Weight: 12 **kg**\n\nMedium: water"),
        ("<div class=label>Weight</div><div class=value><p>12 kg</p></div>", "Weight\n\n12 kg"),
        ("<ul><li><span class=label>Weight</span><span class=value>3 kg</span></ul>", "- Weight: 3 kg"),
        ("<p>He said <q>never again</q> to her.", "He said “never again” to her."),
        ("<div class=name>Ada</div><div class=date>2026</div>", "Ada\n\n2026"),
    ],
)  # fmt: skip
def test_styles_and_classes_that_say_what_belongs_together(html: str, text: str) -> None:
    assert text_of(html) == text


def test_boilerplate_is_left_out_of_short_pages(tmp_path: Path) -> None:
    html = """<div id="onetrust-banner-sdk"><p>We use cookies to improve your visit</p><button>Accept</button></div>
<nav>Home Products</nav><main><article><h1>Solar kit</h1><p>It delivers 410 W and weighs 21 kg.</p></article>
<aside class="related-posts"><h2>Related articles</h2><a href="/b">Battery</a></aside></main>
<footer>Imprint</footer>"""
    extract = read_content(tmp_path, html, "a.html")
    assert extract.text == "# Solar kit\n\nIt delivers 410 W and weighs 21 kg."
    assert extract.warnings == ("navigation and other boilerplate was left out (77 characters)",)
