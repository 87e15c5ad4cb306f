"""Compaction of long conversations: `POST /v1/responses/compact` and `context_management`."""
