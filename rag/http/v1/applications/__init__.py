"""The `/v1` applications of the edge and of the Retriever."""
