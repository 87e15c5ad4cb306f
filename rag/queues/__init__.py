"""Queues that callers share fairly."""
