"""Formulas in one line of text, the notation of calculators: x^2, (a + b)/2, √(x + 1)."""

from __future__ import annotations

import re

_SIMPLE = re.compile(r"[√∛∜]?(?:[^\W_]+(?:[.,]\d+)?|\([^()]*\))|[^\w\s]")
_SIGNED = re.compile(r"[+-]\w+")


def grouped(text: str) -> str:
    """In parentheses, unless it is one number, word or sign."""
    text = text.strip()
    return text if not text or _SIMPLE.fullmatch(text) else f"({text})"


def power(base: str, exponent: str) -> str:
    exponent = exponent.strip().replace("\u2212", "-")
    return f"{_as_base(base)}^{exponent if _SIGNED.fullmatch(exponent) else grouped(exponent)}" if exponent else base


def index(base: str, lower: str) -> str:
    return f"{base.rstrip()}_{grouped(lower)}" if lower.strip() else base


def fraction(numerator: str, denominator: str) -> str:
    return f"{grouped(numerator)}/{grouped(denominator)}"


def root(radicand: str, degree: str = "") -> str:
    sign = {"": "√", "2": "√", "3": "∛", "4": "∜"}.get(degree.strip())
    return f"{sign}{grouped(radicand)}" if sign else f"root_{grouped(degree)}({radicand.strip()})"


def bounds(sign: str, lower: str, upper: str) -> str:
    """A sum, integral or limit with its bounds; the operand follows."""
    return power(index(sign, lower), upper) + " "


def _as_base(base: str) -> str:
    base = base.rstrip()
    return grouped(base) if " " in base.strip() else base
