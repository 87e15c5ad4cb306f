"""`stores`: vector stores and their documents."""
