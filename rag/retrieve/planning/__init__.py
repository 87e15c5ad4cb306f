"""Query planning: rewriting, further queries and hypothetical answers, written by the language model."""
