"""Clients of the other services of this bundle."""
