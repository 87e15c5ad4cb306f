"""Selecting files, and splitting them into groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.upload import MAX_GROUP_BYTES, MAX_GROUP_FILES, LocalFile, group_files, select_files


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    for name in ("reference/index.md", "faq.txt", "report.PDF", "logo.png", ".hidden/x.md", ".x.md", "skip/old.md"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {name}\n")
    return tmp_path


def names(*arguments: object) -> list[str]:
    return [upload.name for upload in select_files([str(argument) for argument in arguments]).files]


def test_a_folder_selects_supported_visible_files(docs: Path) -> None:
    assert names(docs) == ["faq.txt", "reference/index.md", "report.PDF", "skip/old.md"]
    assert select_files([str(docs)]).skipped == 1


def test_globs_are_named_from_their_fixed_part(docs: Path) -> None:
    assert names(f"{docs}/**/*.md") == ["reference/index.md", "skip/old.md"]


def test_a_file_given_by_name_is_selected_whatever_its_suffix(docs: Path) -> None:
    assert names(docs / "logo.png", docs / ".x.md") == [".x.md", "logo.png"]
    assert names(f"{docs}/*.png") == []


def test_name_conflicts_are_reported_unless_it_is_the_same_file(docs: Path) -> None:
    same = select_files([str(docs), str(docs / "faq.txt")])
    assert same.name_conflicts == []
    other = select_files([str(docs / "faq.txt"), str(docs), str(docs / "skip")])
    assert other.name_conflicts == []
    (docs / "skip" / "faq.txt").write_text("other")
    assert select_files([str(docs), str(docs / "skip")]).name_conflicts == [docs / "skip" / "faq.txt"]


def test_unmatched_arguments_are_reported(docs: Path) -> None:
    assert select_files([str(docs / "nope*")]).unmatched == [str(docs / "nope*")]


def test_groups_are_limited_in_files_and_bytes() -> None:
    small = [LocalFile(Path("x"), f"{i}", 10) for i in range(MAX_GROUP_FILES + 1)]
    assert [len(group) for group in group_files(small)] == [MAX_GROUP_FILES, 1]
    large = [LocalFile(Path("x"), f"{i}", MAX_GROUP_BYTES) for i in range(2)]
    assert [len(group) for group in group_files(large)] == [1, 1]


def test_stored_names_are_normalized() -> None:
    assert LocalFile(Path("x"), "Gru\u0308\u00dfe.md", 1).stored_name == "Gr\u00fc\u00dfe.md"
