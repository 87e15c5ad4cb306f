"""API keys: their secrets, their scopes, and who sent the request that is being served."""
