"""Requests and responses of the internal routes, which only the services of this bundle call."""
