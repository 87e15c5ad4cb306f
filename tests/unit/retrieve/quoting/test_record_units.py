"""Records of JSON are quoted whole if they are short, and otherwise value by value, each with its record's key."""

from __future__ import annotations

import json
from pathlib import Path

from rag.chunkers import RecursiveStrategy, chunker_for
from rag.readers import read
from rag.retrieve.quoting.splitting import units_of
from rag.retrieve.quoting.unit import Unit
from rag.retrieve.quoting.window import window_of
from rag.types import Hit
from tests.support.builders import a_chunk


def units(tmp_path: Path, value: object, words: str) -> tuple[str, list[Unit]]:
    """The document's text, and the units of the passage with these words."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    extract = read(path, "a.json")
    passages = chunker_for(RecursiveStrategy(), None).chunk(extract)
    number, passage = next((n, each) for n, each in enumerate(passages) if words in each.text)
    chunk = a_chunk(
        passage.text, filename="a.json", ordinal=number, start=passage.start, end=passage.end, header=passage.header
    )
    return extract.text, units_of(window_of(Hit(chunk, 1.0), {}), "", "a.json")


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
