"""The bundle's own routes: `/ask`, `/retrieve`, `/generate`, `/ingest`, and those between its services."""
