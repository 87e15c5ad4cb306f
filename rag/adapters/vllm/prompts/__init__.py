"""Prompts as the engine reads them: texts, conversations and images."""
