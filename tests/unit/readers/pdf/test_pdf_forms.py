from __future__ import annotations

from pathlib import Path

import pytest

from rag.errors import NoTextFound
from tests.support.files.placed_pdf import Placed, placed_pdf
from tests.support.files.sample_files import pdf, read_content


def widget(field_type: str, rect: str, name: str, entries: str = "") -> str:
    return f"/Subtype /Widget /FT /{field_type} /Rect [{rect}] /T ({name}) {entries}"


def test_values_are_written_beside_their_labels(tmp_path: Path) -> None:
    page = [
        Placed(60, 700, "Inspector:"),
        Placed(60, 670, "Pressure"),
        Placed(300, 670, "Hall"),
        Placed(60, 640, "Town and street"),
        Placed(60, 560, "Approved"),
        Placed(60, 530, "End of the form"),
    ]
    fields = [
        widget("Tx", "150 695 250 710", "f1", "/V (Maren Oduya)"),
        widget("Tx", "150 665 250 680", "f2", "/V (7.4 bar)"),
        widget("Ch", "350 665 450 680", "f3", "/Ff 131072 /Opt [[(h1) (Hall one)] [(h2) (Hall two)]] /V (h2)"),
        widget("Tx", "60 615 250 637", "f4", r"/Ff 4096 /V (Bergen\rStrandgaten 1)"),
        widget("Btn", "40 558 52 570", "f5", "/V /Yes /AS /Yes"),
        widget("Tx", "400 100 500 120", "f6", "/TU (Remarks) /V (none)"),
        widget("Tx", "60 40 160 60", "f7", "/V ()"),
    ]
    extract = read_content(tmp_path, placed_pdf([page], annotations=fields), "a.pdf")
    assert extract.text == (
        "Inspector: Maren Oduya\nPressure: 7.4 bar Hall: Hall two\nTown and street: Bergen Strandgaten 1\n"
        "[x] Approved\nEnd of the form\nRemarks: none"
    )


def test_check_boxes_on_either_side_of_their_labels(tmp_path: Path) -> None:
    page = [Placed(60, 700, "Accepted:"), Placed(60, 670, "Yes"), Placed(140, 670, "No")]
    fields = [
        widget("Btn", "150 698 162 710", "a"),
        widget("Btn", "44 668 56 680", "b", "/V /Yes /AS /Yes"),
        widget("Btn", "124 668 136 680", "c"),
    ]
    text = read_content(tmp_path, placed_pdf([page], annotations=fields), "a.pdf").text
    assert text == "Accepted: [ ]\n[x] Yes [ ] No"


def test_passwords_and_hidden_fields_are_not_read(tmp_path: Path) -> None:
    fields = [
        widget("Tx", "150 695 250 710", "a", "/Ff 8192 /V (secret)"),
        widget("Tx", "150 665 250 680", "b", "/F 2 /V (hidden)"),
    ]
    text = read_content(tmp_path, placed_pdf([[Placed(60, 700, "Form")]], annotations=fields), "a.pdf").text
    assert text == "Form"


def test_a_form_without_any_other_text(tmp_path: Path) -> None:
    fields = [widget("Tx", "150 695 250 710", "Name", "/V (Maren Oduya)")]
    assert read_content(tmp_path, placed_pdf([[]], annotations=fields), "a.pdf").text == "Name: Maren Oduya"


def test_a_page_with_very_many_fields(tmp_path: Path) -> None:
    places = [(10 * (number % 60), 10 * (number // 60)) for number in range(3_000)]
    fields = [widget("Tx", f"{x} {y} {x + 8} {y + 8}", f"n{x}-{y}", "/V (value)") for x, y in places]
    text = read_content(tmp_path, placed_pdf([[Placed(60, 700, "Form")]], annotations=fields), "a.pdf").text
    assert text.count("value") == 3_000


def test_typed_text_and_comments(tmp_path: Path) -> None:
    page = [Placed(60, 700, "Name:"), Placed(60, 670, "End")]
    comments = [
        "/Subtype /FreeText /Rect [100 695 200 710] /Contents (Maren Oduya)",
        "/Subtype /Text /Rect [300 600 320 620] /Contents (Please check\\rthe name.)",
        "/Subtype /Highlight /Rect [60 665 90 680] /Contents (Too early?)",
        "/Subtype /Link /Rect [60 665 90 680] /Contents (A link)",
    ]
    text = read_content(tmp_path, placed_pdf([page], annotations=comments), "a.pdf").text
    assert text == "Name: Maren Oduya\nEnd\n[Comment: Please check the name.]\n[Comment: Too early?]"


def test_an_xfa_form_is_reported(tmp_path: Path) -> None:
    page = [Placed(60, 700, "Please wait... If this message is not eventually replaced")]
    content = placed_pdf([page], form="/XFA (<xdp/>)", catalog="/NeedsRendering true")
    assert "XFA form" in read_content(tmp_path, content, "a.pdf").warnings[0]


def test_pages_without_text_are_reported(tmp_path: Path) -> None:
    scan = "q 612 0 0 792 0 0 cm /Im1 Do Q "
    pages = [[Placed(60, 700, f"Text {letter}")] if letter in "ah" else [] for letter in "abcdefgh"]
    content = placed_pdf(pages, images=[(1, scan), (3, scan), (4, scan), (5, scan)])
    extract = read_content(tmp_path, content, "a.pdf")
    assert len(extract.warnings) == 1
    assert extract.warnings[0].startswith("pages 2, 4-6 have (almost) no text and look like scans; enable")


def test_pictures_and_attachments_are_reported(tmp_path: Path) -> None:
    sizes = ("200 0 0 100", "9 0 0 9", "612 0 0 792")  # a picture, an icon and a background
    drawings = "".join(f"q {size} 0 0 cm /Im1 Do Q " for size in sizes)
    attachment = "/Names << /EmbeddedFiles << /Names [(a) << /Type /Filespec /F (a.txt) >>] >> >>"
    page = [Placed(60, 700 - 20 * number, f"A line with several words and the number {number}") for number in range(9)]
    extract = read_content(tmp_path, placed_pdf([page], images=[(0, drawings)], catalog=attachment), "a.pdf")
    assert extract.warnings == ("1 attached file was not read", "1 picture was not read")


def test_a_scan_with_a_stamp_is_reported(tmp_path: Path) -> None:
    content = placed_pdf([[Placed(60, 760, "ACME-000317")]], images=[(0, "q 612 0 0 792 0 0 cm /Im1 Do Q ")])
    extract = read_content(tmp_path, content, "a.pdf")
    assert (extract.text, len(extract.warnings)) == ("ACME-000317", 1)
    assert extract.warnings[0].startswith("page 1 has (almost) no text and looks like a scan; enable optical")


def test_a_header_does_not_hide_that_a_page_has_no_other_text(tmp_path: Path) -> None:
    content = placed_pdf([[Placed(60, 760, "Header"), Placed(60, 700, text)] for text in ("Text a", "Text b", "", "")])
    extract = read_content(tmp_path, content, "a.pdf")
    assert [page.number for page in extract.pages] == [1, 2]


@pytest.mark.parametrize("content", [pdf([""]), placed_pdf([[]])])
def test_a_blank_page_is_no_text(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(NoTextFound):
        read_content(tmp_path, content, "a.pdf")
