"""Rewrites Word documents before they are converted."""
