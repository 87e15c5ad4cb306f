"""Formulas, list numbers, superscripts and subscripts in plain text."""
