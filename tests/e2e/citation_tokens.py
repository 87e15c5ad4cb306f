"""Values of `allowed_token_ids` that make the embedded model write citation marks, which it rarely does by itself."""

CITES_1 = [933, 33, 77, 30]
"""` [`, `1`, `]` and `.`"""
CITES_9 = [933, 41, 77, 30]
"""` [`, `9`, `]` and `.`"""
