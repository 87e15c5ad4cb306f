"""Servers that tests start: services of this bundle, and what they call."""
