"""Tokens that leave the embedded model little else to write than marks: it hardly ever cites by itself."""

CITES_1 = [933, 33, 77, 30]
"""` [`, `1`, `]` and `.`"""
CITES_9 = [933, 41, 77, 30]
"""The same with `9`."""
