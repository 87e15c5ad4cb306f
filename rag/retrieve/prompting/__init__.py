"""From hits and a question to a prompt that fits the context window."""
