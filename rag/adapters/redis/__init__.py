"""Redis: the shared cache, and shared counts of tokens."""
