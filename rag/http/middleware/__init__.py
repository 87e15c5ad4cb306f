"""ASGI middleware and helpers: admission, request ids, disconnects, deadlines and shutdown."""
