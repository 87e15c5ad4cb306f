"""Batches of requests, below HTTP: creating, validating and running them, and writing their output files."""
