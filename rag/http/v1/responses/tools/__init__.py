"""Tools that the service runs while the language model works on a response."""
