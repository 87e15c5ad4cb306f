"""`keys`: API keys."""
