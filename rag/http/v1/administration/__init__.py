"""Routes for administrators: API keys, the audit log and LoRA adapters."""
