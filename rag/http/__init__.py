"""The wire: request models, events, the error table, the middleware every service wears."""
