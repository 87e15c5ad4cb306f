"""Formats that are text: plain text, Markdown, CSV and TSV, JSON and JSON Lines."""
