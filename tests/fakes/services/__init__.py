"""Fakes of whole services."""
