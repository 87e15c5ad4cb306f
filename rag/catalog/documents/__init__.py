"""Documents, files, vector stores and jobs: their rows, which of them are visible, and what can be removed."""
