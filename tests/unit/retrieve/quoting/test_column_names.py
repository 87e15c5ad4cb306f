"""Names in several header rows become one name a column."""

from __future__ import annotations

import pytest

from rag.retrieve.quoting.column_names import column_names


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([["", "2019", "2018"]], ["", "2019", "2018"]),
        ([["Year", "2019", ""]], ["Year", "2019", ""]),
        (
            [["", "Domestic", "", "International", ""], ["", "2019", "2018", "2019", "2018"]],
            ["", "Domestic / 2019", "Domestic / 2018", "International / 2019", "International / 2018"],
        ),
        (
            [["", "", "Fiscal", ""], ["", "2019", "2018", "2017"], ["", "", "(in millions)", ""]],
            ["", *(f"Fiscal / {year} / (in millions)" for year in (2019, 2018, 2017))],
        ),
        ([["Item", "Price", ""], ["", "net", "gross", "note"]], ["Item", "Price / net", "Price / gross", "note"]),
    ],
)
def test_column_names(rows: list[list[str]], expected: list[str]) -> None:
    assert column_names(rows) == expected
