"""Authentication and authorization of requests: at the edge by API keys, between services by one shared key."""
