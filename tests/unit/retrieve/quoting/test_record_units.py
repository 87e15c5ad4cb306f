"""Records of JSON are quoted whole if they are short, and otherwise value by value, each with its record's key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rag.chunkers import RecursiveStrategy, chunker_for
from rag.readers import read
from rag.retrieve.quoting.splitting import units_of
from rag.retrieve.quoting.unit import Unit
from rag.retrieve.quoting.window import window_of
from rag.types import Hit
from tests.support.builders import a_chunk


def units(tmp_path: Path, value: object, words: str, *, as_lines: bool = False) -> tuple[str, list[Unit]]:
    """The document's text, and the units of the passage with these words, with the passages around it.

    Args:
        as_lines: Whether the records of the value are lines of a JSON Lines file.
    """
    path, name = tmp_path / "a.json", "a.jsonl" if as_lines else "a.json"
    records: Any = value
    path.write_text("\n".join(map(json.dumps, records)) if as_lines else json.dumps(value), encoding="utf-8")
    extract = read(path, name)
    chunks = [
        a_chunk(each.text, filename=name, ordinal=number, start=each.start, end=each.end, header=each.header)
        for number, each in enumerate(chunker_for(RecursiveStrategy(), None).chunk(extract))
    ]
    chunk = next(each for each in chunks if words in each.text)
    around = {each.chunk_id: each for each in chunks}
    return extract.text, units_of(window_of(Hit(chunk, 1.0), around), "", name)


def test_short_records_are_units(tmp_path: Path) -> None:
    records = [{"sku": f"PX-{n}", "pressure": f"{n} bar", "seal": None} for n in range(3)]
    text, found = units(tmp_path, records, "PX-1")
    assert [unit.text for unit in found] == [f"sku: PX-{n}; pressure: {n} bar; seal: null" for n in range(3)]
    assert [text[unit.start : unit.end].splitlines()[0] for unit in found] == [f"[{n}].sku: PX-{n}" for n in range(3)]


def test_a_value_of_a_long_record_has_its_key(tmp_path: Path) -> None:
    manual = "It is greased twice a year. It is stored over winter. " * 20
    pumps = [{"sku": f"PX-{n}", "manual": manual, "pressure": f"{n} bar"} for n in range(4)]
    text, found = units(tmp_path, {"pumps": pumps}, "pressure: 2 bar")
    assert found[-1].text == "sku: PX-2; pressure: 2 bar"
    assert text[found[-1].start : found[-1].end] == "pumps[2].pressure: 2 bar"
    assert {unit.text for unit in found[:-1]} == {"It is greased twice a year.", "It is stored over winter."}


def test_a_value_of_several_lines_is_one_unit(tmp_path: Path) -> None:
    _, found = units(tmp_path, [{"id": "A", "note": "First line\nsecond line"}], "First")
    assert [unit.text for unit in found] == ["id: A; note: First line second line"]


def test_members_of_an_object_keep_their_path(tmp_path: Path) -> None:
    _, found = units(tmp_path, {"server": {"port": 3000, "host": "a.example"}}, "port")
    assert [unit.text for unit in found] == ["server.port: 3000; server.host: a.example"]


@pytest.mark.parametrize("as_lines", [False, True])
@pytest.mark.parametrize("sentences", [6, 20, 28])
def test_the_next_record_is_not_part_of_a_value(tmp_path: Path, as_lines: bool, sentences: int) -> None:
    """Wherever the passages are cut: the gap between two is not stored, and a record may begin in the next one."""
    manual = "It is greased twice a year. " * sentences
    pumps = [
        {"sku": f"PX-{n}", "name": f"Pump {n}", "manual": manual, "pressure": f"{n} bar", "note": f"From site {n}"}
        for n in range(6)
    ]
    for number in range(6):
        _, found = units(tmp_path, pumps, f"pressure: {number} bar", as_lines=as_lines)
        texts = [unit.text for unit in found]
        assert any(f"sku: PX-{number};" in text and f"pressure: {number} bar" in text for text in texts), texts
        for text in texts:
            assert sum(f"PX-{other}" in text for other in range(6)) <= 1, text
