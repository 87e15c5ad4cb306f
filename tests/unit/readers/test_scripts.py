from __future__ import annotations

import pytest

from rag.readers.notation.scripts import subscript, superscript


@pytest.mark.parametrize(
    ("before", "content", "after", "text"),
    [
        ("3 × 10", "6", " cells", "3 × 10^6 cells"),
        ("10", "6", "cells", "10^6 cells"),
        ("10", "−6", " m", "10^-6 m"),
        ("25 m", "2", ".", "25 m^2."),
        ("5 mol", "-1", "", "5 mol^-1"),
        ("E = mc", "2", "", "E = mc^2"),
        ("(a+b)", "2", "", "(a+b)^2"),
        ("x", "n+1", " y", "x^(n+1) y"),
        ("Ca", "2+", " ions", "Ca^2+ ions"),
        ("Revenue", "2", " rose", "Revenue (2) rose"),
        ("Revenue", "1, 2", "", "Revenue (1, 2)"),
        ("Revenue", "a", "", "Revenue (a)"),
        ("It rose.", "2", " Then", "It rose. (2) Then"),
        ("", "2", " Includes tax", "(2) Includes tax"),
        ("", "2", "Includes tax", "(2) Includes tax"),
        ("", "14", "C dating", "14C dating"),
        ("the 21", "st", " century", "the 21st century"),
        ("M", "me", " Curie", "Mme Curie"),
        ("Acme", "TM", " Pump", "Acme™ Pump"),
        ("Acme", "®", "", "Acme®"),
        ("Price", "*", "", "Price*"),
        ("word", "a long note in small type that goes on", "", "word a long note in small type that goes on"),
    ],
)
def test_superscripts(before: str, content: str, after: str, text: str) -> None:
    assert before + superscript(before, content, after) + after == text


@pytest.mark.parametrize(
    ("before", "content", "after", "text"),
    [
        ("CO", "2", " emissions", "CO2 emissions"),
        ("CO", "2", "e", "CO2e"),
        ("H", "2", "O", "H2O"),
        ("Ca(OH)", "2", "", "Ca(OH)2"),
        ("V", "max", " is", "V_max is"),
        ("x", "1", "", "x_1"),
        ("log", "10", "5", "log_10 5"),
        ("a", "i+1", "", "a_(i+1)"),
        ("Revenue", "2", "", "Revenue_2"),
    ],
)
def test_subscripts(before: str, content: str, after: str, text: str) -> None:
    assert before + subscript(before, content, after) + after == text
