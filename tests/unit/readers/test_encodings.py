"""Texts in the encodings that are still in use."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from rag.errors import UnsupportedFile
from rag.readers import ReadOptions
from rag.readers.charset.labels import codec_of
from tests.support.files.sample_files import read_content

FRENCH = "Bonjour, ça va très bien. Le café est déjà prêt."
GERMAN = "Die Straße nach Süden führt über die Brücke."
TEXTS = {
    "french": (FRENCH, "latin-1 cp1252 mac_roman cp850"),
    "one word": ("Garçon", "latin-1 cp1252"),
    "german": (GERMAN, "cp1252 iso8859_15 mac_roman cp850"),
    "euro": ("Der Preis beträgt 300 €, für größere Mengen gibt es Rabatt.", "cp1252 iso8859_15"),
    "spanish": ("El niño comió una manzana. ¿Dónde está la señora?", "cp1252 mac_roman"),
    "icelandic": ("Það er ekki hægt að lesa þessa skrá í dag við höfnina.", "cp1252"),
    "quotes": ("It’s the pump’s manual – see section 4.", "cp1252"),
    "units": ("The temperature is 25 °C ± 2 and the area is 30 m².", "cp1252"),
    "polish": ("Dziękuję za pomoc, do widzenia. Łódź jest piękna.", "cp1250 iso8859_2"),
    "czech": ("Příliš žluťoučký kůň úpěl ďábelské ódy.", "cp1250 iso8859_2"),
    "hungarian": ("Árvíztűrő tükörfúrógép. A kazán nem működik.", "cp1250 iso8859_2"),
    "turkish": ("Pompa bodrum katında bulunuyor ve çalışmıyor; ışık yanıyor.", "cp1254"),
    "lithuanian": ("Siurblys yra rūsyje ir neveikia, jį reikia pataisyti šiandien.", "cp1257"),
    "russian": ("Насос находится в подвале и не работает.", "cp1251 koi8_r cp866 mac_cyrillic iso8859_5"),
    "greek": ("Η αντλία βρίσκεται στο υπόγειο και δεν λειτουργεί.", "cp1253 iso8859_7"),
    "hebrew": ("המשאבה נמצאת במרתף ולא עובדת. שלום עולם", "cp1255"),
    "arabic": ("المضخة موجودة في القبو ولا تعمل.", "cp1256"),
    "thai": ("ปั๊มน้ำอยู่ในห้องใต้ดินและไม่ทำงาน", "cp874 tis_620"),
    "japanese": ("ポンプは地下室にあります。動いていません。", "cp932 euc_jp"),
    "chinese": ("本手册说明如何安装水泵。安装前请先关闭电源。", "gb18030"),
    "traditional": ("本手冊說明如何安裝水泵。安裝前請先關閉電源。", "big5"),
    "korean": ("펌프는 지하실에 있으며 작동하지 않습니다.", "cp949"),
}


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        pytest.param(text, encoding, id=f"{name}-{encoding}")
        for name, (text, encodings) in TEXTS.items()
        for encoding in encodings.split()
    ],
)
def test_legacy_encodings(text: str, encoding: str, tmp_path: Path) -> None:
    extract = read_content(tmp_path, text.encode(encoding), "a.txt")
    assert (extract.text, extract.warnings) == (text, ())


def test_vietnamese(tmp_path: Path) -> None:
    text = "Máy bơm ở tầng hầm và không hoạt động."
    content = b"".join(_cp1258(char) for char in text)
    assert read_content(tmp_path, content, "a.txt").text == text


def _cp1258(char: str) -> bytes:
    """The encoding has base letters with circumflex, breve and horn, and combining tones."""
    parts = unicodedata.normalize("NFD", char)
    base = parts[0] + "".join(mark for mark in parts[1:] if mark in "\u0302\u0306\u031b")
    tones = "".join(mark for mark in parts[1:] if mark not in base)
    return (unicodedata.normalize("NFC", base) + tones).encode("cp1258")


@pytest.mark.parametrize("text", ["The pump runs.", FRENCH, "泵\n水泵 12 bar。请关闭电源。\n", "Насос 5 бар"])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_encodings_without_a_mark(text: str, encoding: str, tmp_path: Path) -> None:
    assert read_content(tmp_path, text.encode(encoding), "a.txt").text == text


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (f"{GERMAN}\n".encode() * 3 + b"Wasser\xe4 {}", f"{GERMAN}\n" * 3 + "Wasser\ufffd {}"),
        ("安装前请先关闭电源。\n".encode() * 2 + b"\xe3\x80", "安装前请先关闭电源。\n" * 2 + "\ufffd"),
        (b"f\xc3\xb6rdert \xff", "fördert \ufffd"),
    ],
)
def test_utf8_with_a_bad_byte_stays_utf8(content: bytes, text: str, tmp_path: Path) -> None:
    extract = read_content(tmp_path, content, "a.txt")
    assert (extract.text, extract.warnings) == (text, ("1 byte sequence was replaced by U+FFFD: not valid UTF-8",))


def test_the_charset_of_the_upload_is_obeyed(tmp_path: Path) -> None:
    content = "Ціна: 5".encode("koi8_u")
    assert read_content(tmp_path, content, "a.txt", ReadOptions(charset="KOI8-U")).text == "Ціна: 5"
    wrong = read_content(tmp_path, content, "a.txt", ReadOptions(charset="utf-8"))
    assert "detected" in wrong.warnings[0]


@pytest.mark.parametrize("label", ["iso-8859-1", "ascii", "latin1", "windows-1252"])
def test_labels_mean_what_browsers_take_them_for(label: str, tmp_path: Path) -> None:
    page = f'<meta charset="{label}"><p>It\x92s 5 \x80</p>'.encode("latin-1")
    assert read_content(tmp_path, page, "a.html").text == "It’s 5 €"


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        (" Windows-1251", "cp1251"),
        ("x-sjis", "cp932"),
        ("gb2312", "gb18030"),
        ("tis-620", "cp874"),
        ("iso-8859-9", "cp1254"),
        ("ks_c_5601-1987", "cp949"),
        ("x-mac-roman", "mac-roman"),
        ("unicode_escape", None),
        ("base64", None),
        ("rot13", None),
        ("no\0such", None),
        ("", None),
    ],
)
def test_labels(label: str, codec: str | None) -> None:
    assert codec_of(label) == codec


@pytest.mark.parametrize("content", [b"MZ\0\1\0\2binary\0\0", bytes(range(256)) * 8, b"a\0b" * 333])
def test_binary_content_is_no_text(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFile):
        read_content(tmp_path, content, "a.txt")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_chinese_in_utf16_without_a_mark(encoding: str, tmp_path: Path) -> None:
    text = "启动前请打开一个阀门。\n价格 40 元。\n"  # two of these characters have a zero byte, as the line ends have
    assert read_content(tmp_path, text.encode(encoding), "a.txt").text == text


def test_iso_2022_jp(tmp_path: Path) -> None:
    text = "温度は八十度です。"
    assert read_content(tmp_path, text.encode("iso2022_jp"), "a.txt").text == text
    assert read_content(tmp_path, b"\x1b[31mE1\x1b[0m $BA$ \x1b(B", "a.log").text == "E1 $BA$ "


def test_greek_capitals_with_an_accent(tmp_path: Path) -> None:
    text = "Άνοιξε τη βαλβίδα σιγά και περίμενε."
    assert read_content(tmp_path, text.encode("iso8859_7"), "a.txt").text == text
    assert read_content(tmp_path, text.encode("cp1253"), "a.txt").text == text
