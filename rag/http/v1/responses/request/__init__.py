"""The request: its body, input, tools, and the turns of the conversation before it."""
