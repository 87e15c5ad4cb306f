"""The processes that read untrusted files: a fork server, and a child for each file."""
