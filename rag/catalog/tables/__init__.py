"""The tables of the catalog, and their rows as dataclasses."""
