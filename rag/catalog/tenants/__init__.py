"""What belongs to a tenant as a whole: its API keys, its quotas and its audit log."""
