"""Function calls of the language model, for chat completions and responses."""
