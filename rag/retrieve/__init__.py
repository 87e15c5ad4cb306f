"""question -> hits -> prompt. No heavy library is imported here."""
