"""Compaction: long conversations become a summary and their newest turns."""
