"""Validation of JSON bodies, and the errors that name the field."""
