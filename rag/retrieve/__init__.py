"""From a question to hits and a prompt. `pipeline.py` is the place to start reading. Imports no heavy library."""
