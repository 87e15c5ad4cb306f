"""HTML -> Markdown."""
