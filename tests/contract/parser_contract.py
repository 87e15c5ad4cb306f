"""The contract of every Parser. Subclasses provide a `parser` fixture and content that it cannot read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rag.errors import UnsupportedFile
from rag.ports import Parser


class ParserContract:
    UNREADABLE: bytes

    def test_text_is_read(self, parser: Parser, tmp_path: Path) -> None:
        path = tmp_path / "a blob's own name"
        path.write_text("Äpfel are red\n")
        extract = parser.parse(path, "a.txt")
        assert (extract.text.strip(), extract.media_type) == ("Äpfel are red", "text/plain")

    def test_the_declared_charset_is_obeyed(self, parser: Parser, tmp_path: Path) -> None:
        path = tmp_path / "blob"
        path.write_bytes("Ціна".encode("koi8_u"))
        assert parser.parse(path, "a.txt", "koi8-u").text.strip() == "Ціна"

    def test_the_error_for_unreadable_content_names_the_file(self, parser: Parser, tmp_path: Path) -> None:
        path = tmp_path / "blob"
        path.write_bytes(self.UNREADABLE)
        with pytest.raises(UnsupportedFile, match=r"my notes\.txt"):
            parser.parse(path, "my notes.txt")
        path.write_text("then this")
        assert parser.parse(path, "my notes.txt").text.strip() == "then this"

    def test_several_at_once(self, parser: Parser, tmp_path: Path) -> None:
        paths = [tmp_path / str(number) for number in range(6)]
        for path in paths:
            path.write_text(f"text {path.name}")
        with ThreadPoolExecutor(3) as pool:
            extracts = list(pool.map(lambda path: parser.parse(path, f"{path.name}.txt"), paths))
        assert [extract.text.strip() for extract in extracts] == [f"text {number}" for number in range(6)]
