"""Fakes of the language model, its engine and its tokenizer."""
