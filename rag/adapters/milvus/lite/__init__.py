"""Milvus Lite: its server in this process, crash recovery, and replacements of its filters and sparse indexes."""
