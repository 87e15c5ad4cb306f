"""Writes the tokens that a structured output leaves no choice about, without computing them."""
