"""The `/v1` applications as clients see them."""
