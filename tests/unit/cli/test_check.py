"""`check`, with a real parser process."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from rag.cli import main


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["check", *arguments], catch_exceptions=False)


def test_text_passages_and_warnings_are_shown(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("Grüße und Käse. ".encode() * 40 + b"\xff")
    result = run(str(tmp_path / "a.txt"))
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert (lines[0], lines[1].split()) == ("=== a.txt", ["type", "text/plain"])
    assert "warning: 1 byte sequence was replaced by U+FFFD: not valid UTF-8" in lines
    assert "--- passage 1, characters 0 to " in result.stdout
    assert "--- passage 2" in result.stdout


def test_json_has_one_object_for_each_file(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Title\n\ntext")
    (tmp_path / "b.txt").write_bytes(b"\0\1\2")
    result = run(str(tmp_path), "--json", "--chunking", "structure")
    assert result.exit_code == 1
    good, bad = map(json.loads, result.stdout.splitlines())
    assert (good["filename"], good["text"], good["warnings"], good["error"]) == ("a.md", "# Title\n\ntext", [], None)
    assert [(p["start"], p["end"], p["heading"]) for p in good["passages"]] == [(0, 13, "Title")]
    assert (bad["filename"], bad["error"]["code"]) == ("b.txt", "unsupported_file")


def test_missing_files(tmp_path: Path) -> None:
    assert run(str(tmp_path / "no.txt")).exit_code == 1
