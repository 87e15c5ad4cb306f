"""The response and its events, item by item."""
