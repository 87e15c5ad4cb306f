"""Server-sent events: writing, parsing, and the guarantee that every stream ends with `done` or `error`."""
