"""Responses with `background: true`."""
