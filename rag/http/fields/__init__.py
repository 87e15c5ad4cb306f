"""Fields and objects that occur in several requests."""
