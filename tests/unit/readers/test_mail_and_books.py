"""EML and EPUB."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

import pytest

from rag.errors import BrokenFile, EncryptedFile
from tests.support.sample_files import epub, read_content


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
    message.add_attachment(b"x", maintype="application", subtype="x")
    message["Content-Language"] = "de"
    extract = read_content(tmp_path, message.as_bytes(), "a.eml")
    assert extract.text == (
        "# Grüße\n\nFrom: Ada <ada@example.org>  \nTo: b@example.org  \nDate: Fri, 17 May 2024 10:00:00 +0200\n\n"
        "Hallo,\n\nkommst du?\n\nAttachments (not read): plan.pdf, unnamed application/x"
    )
    assert [heading.path for heading in extract.headings] == ["Grüße"]
    assert (extract.title, extract.language, extract.media_type) == ("Grüße", "de", "message/rfc822")


def test_mail_in_html_alone(tmp_path: Path) -> None:
    message = mail()
    message.set_content("<h2>News</h2><p>Text<script>X</script>", subtype="html")
    extract = read_content(tmp_path, message.as_bytes(), "a.eml")
    assert extract.text.endswith("\n\n## News\n\nText")
    assert extract.headings[-1].path == "Grüße > News"


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
        '<itemref idref="a"/><itemref idref="b"/></spine></package>'
    )
    extract = read_content(tmp_path, epub({"a": "<p>first"}, more={"OPS/book.opf": package}), "a.epub")
    assert (extract.text, extract.warnings) == ("first", ("chapter OPS/b is missing from the e-book",))
