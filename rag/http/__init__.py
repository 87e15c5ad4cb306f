"""The HTTP layer: request models, streams, the error table, the middleware of every service."""
