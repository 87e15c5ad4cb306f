"""Clients of the bundle's other services."""
