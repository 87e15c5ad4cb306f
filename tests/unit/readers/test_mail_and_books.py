"""EML and EPUB."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

import pytest

from rag.errors import BrokenFile, EncryptedFile
from tests.support.files.sample_files import docx, epub, read_content


def mail(subject: str = "Grüße") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Ada <ada@example.org>", "b@example.org", subject
    message["Date"] = "Fri, 17 May 2024 10:00:00 +0200"
    return message


def test_mail(tmp_path: Path) -> None:
    message = mail()
    message.set_content("Hallo,\n\nkommst du?\n")
    message.add_alternative("<p>OTHER", subtype="html")
    message.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="plan.pdf")
    message.add_attachment(b"\0\1", maintype="application", subtype="x")
    message["Content-Language"] = "de"
    extract = read_content(tmp_path, message.as_bytes(), "a.eml")
    assert extract.text == (
        "# Grüße\n\nFrom: Ada <ada@example.org>  \nTo: b@example.org  \nDate: Fri, 17 May 2024 10:00:00 +0200\n\n"
        "Hallo,\n\nkommst du?"
    )
    assert extract.warnings == (
        "the attachment plan.pdf was not read: is damaged, or not a PDF file",
        "the attachment unnamed application/x was not read: it is binary data of an unknown format, not text",
    )
    assert [heading.path for heading in extract.headings] == ["Grüße"]
    assert (extract.title, extract.language, extract.media_type) == ("Grüße", "de", "message/rfc822")


def test_mail_in_html_alone(tmp_path: Path) -> None:
    message = mail()
    message.set_content("<h2>News</h2><p>Text<script>X</script>", subtype="html")
    extract = read_content(tmp_path, message.as_bytes(), "a.eml")
    assert extract.text.endswith("\n\n## News\n\nText")
    assert extract.headings[-1].path == "Grüße > News"


def test_html_is_read_where_plain_text_is_a_stub(tmp_path: Path) -> None:
    message = mail()
    message.set_content("Please use a mail program that shows HTML.")
    message.add_alternative("<p>The pump PX-005 runs at six bar. " + "It is checked each week. " * 9, subtype="html")
    text = read_content(tmp_path, message.as_bytes(), "a.eml").text
    assert "PX-005" in text
    assert "mail program" not in text


def test_each_text_part_is_read(tmp_path: Path) -> None:
    message = mail()
    message.set_content("first")
    message.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="p.png")
    message.attach(plain_part("second"))
    extract = read_content(tmp_path, message.as_bytes(), "a.eml")
    assert extract.text.endswith("first\n\nsecond")
    assert [warning.partition(":")[0] for warning in extract.warnings] == ["the attachment p.png was not read"]


def plain_part(text: str) -> EmailMessage:
    part = EmailMessage()
    part.set_content(text)
    return part


def test_attachments_are_read_under_their_names(tmp_path: Path) -> None:
    message = mail("Offer")
    message.set_content("See attached.")
    message.add_attachment("Grüße".encode("latin-1"), maintype="text", subtype="plain", filename="note.txt")
    message.add_attachment(b"# Pump\n\n5 bar\n", maintype="application", subtype="octet-stream", filename="a.md")
    message.add_attachment(b"<h1>Prices</h1><p>300", maintype="text", subtype="html", filename="p.html")
    message.add_attachment(docx("<w:p><w:r><w:t>Contract</w:t></w:r></w:p>"), maintype="application", subtype="x",
                           filename="c.docx")  # fmt: skip
    extract = read_content(tmp_path, message.as_bytes(), "a.eml")
    assert extract.text.endswith(
        "See attached.\n\n## Attachment: note.txt\n\nGrüße\n\n## Attachment: a.md\n\n# Pump\n\n5 bar\n\n"
        "## Attachment: p.html\n\n# Prices\n\n300\n\n## Attachment: c.docx\n\nContract"
    )
    assert [heading.path for heading in extract.headings][1:] == [
        "Offer > Attachment: note.txt",
        "Offer > Attachment: a.md",
        "Offer > Attachment: a.md > Pump",
        "Offer > Attachment: p.html",
        "Offer > Attachment: p.html > Prices",
        "Offer > Attachment: c.docx",
    ]
    assert extract.warnings == ()


def test_a_forwarded_message_is_read(tmp_path: Path) -> None:
    inner = mail("Pump PX-005")
    inner.set_content("It runs at six bar.")
    inner.add_attachment("valve, 5 bar", filename="valve.txt")
    message = mail("Fwd")
    message.set_content("See below.")
    message.add_attachment(inner)
    extract = read_content(tmp_path, message.as_bytes(), "a.eml")
    assert "It runs at six bar." in extract.text
    assert "valve, 5 bar" in extract.text
    assert [heading.path for heading in extract.headings] == [
        "Fwd", "Fwd > Pump PX-005", "Fwd > Pump PX-005 > Attachment: valve.txt"
    ]  # fmt: skip


def test_messages_within_messages_have_a_limit(tmp_path: Path) -> None:
    message = mail("0")
    message.set_content("innermost")
    for number in range(1, 12):
        outer = mail(str(number))
        outer.set_content(f"text {number}")
        outer.add_attachment(message)
        message = outer
    extract = read_content(tmp_path, message.as_bytes(), "a.eml")
    assert "text 11" in extract.text
    assert "text 1\n" not in extract.text
    assert "was not read" in extract.warnings[0]


@pytest.mark.parametrize("charset", ["utf-8", "nonsense", "us-ascii"])
def test_mail_whose_charset_may_be_wrong(charset: str, tmp_path: Path) -> None:
    head = f"Subject: x\r\nContent-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    assert "Käse" in read_content(tmp_path, head + "Käse\r\n", "a.eml").text


@pytest.mark.parametrize("header", ["From: <<>>@@,;:", "Date: never", "Subject: =?x?q?=?=", "Content-Type: text/x-odd"])
def test_odd_headers_do_no_harm(header: str, tmp_path: Path) -> None:
    assert "the body" in read_content(tmp_path, f"{header}\r\nMIME-Version: 1.0\r\n\r\nthe body", "a.eml").text


def test_what_is_not_a_mail(tmp_path: Path) -> None:
    with pytest.raises(BrokenFile, match=r"^a\.eml is not an e-mail"):
        read_content(tmp_path, "just words", "a.eml")


def test_books_are_read_in_order(tmp_path: Path) -> None:
    chapters = {"z.xhtml": "<head><title>T</title></head><h1>One</h1><p>a</p>", "a b.xhtml": "<h1>Two</h1>b"}
    extract = read_content(tmp_path, epub(chapters, title="The book"), "a.epub")
    assert extract.text == "# One\n\na\n\n# Two\n\nb"
    assert [heading.path for heading in extract.headings] == ["One", "Two"]
    assert (extract.title, extract.language) == ("The book", "de-AT")


@pytest.mark.parametrize(
    "more",
    [
        {"META-INF/container.xml": "<container/>"},
        {"META-INF/container.xml": "<broken"},
        {"OPS/book.opf": "<package xmlns='x'><manifest><item id='a' href='../../etc/passwd' "
         "media-type='text/html'/></manifest><spine><itemref idref='a'/></spine></package>"},
    ],
)  # fmt: skip
def test_damaged_books(more: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(BrokenFile, match=r"^a\.epub "):
        read_content(tmp_path, epub({"a": "<p>x"}, more=more), "a.epub")


def test_entities_are_not_expanded(tmp_path: Path) -> None:
    laughs = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 30))
    package = f"<!DOCTYPE p [<!ENTITY l0 'lol'>{laughs}]><package><metadata>&l29;</metadata></package>"
    with pytest.raises(Exception, match=r"^a\.epub ") as caught:
        read_content(tmp_path, epub({"a": "<p>x"}, more={"OPS/book.opf": package}), "a.epub")
    assert len(str(caught.value)) < 500


def test_copy_protection(tmp_path: Path) -> None:
    encryption = "<encryption xmlns='x'><CipherReference URI='OPS/a'/></encryption>"
    with pytest.raises(EncryptedFile, match="DRM"):
        read_content(tmp_path, epub({"a": "<p>x"}, more={"META-INF/encryption.xml": encryption}), "a.epub")


def test_a_missing_chapter_is_reported_and_the_rest_is_read(tmp_path: Path) -> None:
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf"><metadata/><manifest><item id="a" href="a" '
        'media-type="text/html"/><item id="b" href="b" media-type="text/html"/></manifest><spine>'
        '<itemref idref="a"/><itemref idref="b"/><itemref idref="c"/></spine></package>'
    )
    extract = read_content(tmp_path, epub({"a": "<p>first"}, more={"OPS/book.opf": package}), "a.epub")
    assert extract.text == "first"
    assert set(extract.warnings) == {
        "chapter OPS/b is missing from the e-book",
        "chapter c is missing from the e-book's list of files",
    }


MARKED = "<nav>Chapter 1</nav><main><p>Text</main><aside>Note</aside><footer>Ada Ltd</footer>"


def test_mail_keeps_what_a_website_would_call_boilerplate(tmp_path: Path) -> None:
    message = mail()
    message.set_content(f"{MARKED}<iframe src=x></iframe><p style='display:none'>preview", subtype="html")
    extract = read_content(tmp_path, message.as_bytes(), "a.eml")
    assert extract.text.endswith("\n\nChapter 1\n\nText\n\nNote\n\nAda Ltd")
    assert extract.warnings == ("hidden text was left out (7 characters)", "1 embedded page was not read")


def test_books_keep_what_a_website_would_call_boilerplate(tmp_path: Path) -> None:
    extract = read_content(tmp_path, epub({"a": f"{MARKED}<video src='x'></video>"}), "a.epub")
    assert extract.text == "Chapter 1\n\nText\n\nNote\n\nAda Ltd"
    assert extract.warnings == ("a: 1 video was not read",)


def test_a_very_long_header_is_cut(tmp_path: Path) -> None:
    """The time to parse one grows with the square of its length: 12 s for 20,000 parameters."""
    raw = f"To: {', '.join(f'a{number}@example.org' for number in range(2000))}\nSubject: Hello\n\nThe text.\n"
    extract = read_content(tmp_path, raw.encode(), "a.eml")
    assert 16_000 < len(extract.text) < 17_000
    assert extract.text.endswith("The text.")
    assert extract.warnings == ("the header To is longer than 16,384 characters; the rest was not read",)


def test_html_is_read_where_plain_text_says_something_else(tmp_path: Path) -> None:
    message = mail()
    message.set_content("This message needs a mail program that shows HTML. View it here: https://example.org/a/b/c\n")
    message.add_alternative("<p>The sale begins on <b>May 7</b> with 35 % off all drills.", subtype="html")
    text = read_content(tmp_path, message.as_bytes(), "a.eml").text
    assert text.endswith("The sale begins on **May 7** with 35 % off all drills.")
    assert "mail program" not in text


def test_html_is_read_for_its_tables(tmp_path: Path) -> None:
    message = mail()
    message.set_content("Your order:\n\nItem\nCount\nDrill\n3\n")
    table = "<table><tr><th>Item<th>Count<tr><td>Drill<td>3</table>"
    message.add_alternative(f"<p>Your order:</p>{table}", subtype="html")
    text = read_content(tmp_path, message.as_bytes(), "a.eml").text
    assert text.endswith("Your order:\n\n| Item | Count |\n| --- | --- |\n| Drill | 3 |")


def test_delivery_reports_are_read(tmp_path: Path) -> None:
    content = (
        b"From: a@b\nSubject: Undelivered\nMIME-Version: 1.0\nContent-Type: multipart/report; boundary=q\n\n"
        b"--q\nContent-Type: text/plain\n\nNot delivered.\n--q\nContent-Type: message/delivery-status\n\n"
        b"Reporting-MTA: dns; mx\n\nFinal-Recipient: rfc822; c@d\nStatus: 5.1.1\n--q--\n"
    )
    text = read_content(tmp_path, content, "a.eml").text
    assert text.endswith("Not delivered.\n\nReporting-MTA: dns; mx\n\nFinal-Recipient: rfc822; c@d\nStatus: 5.1.1")
