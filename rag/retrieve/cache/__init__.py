"""The retrieval cache: exact and semantic, and single flight for simultaneous requests."""
