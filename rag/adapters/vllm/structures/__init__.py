"""Structured outputs: checks and translates what a request prescribes, before the engine compiles it."""
