"""How a route describes itself: its models, errors, parameters and links, for the OpenAPI document.

The document itself is assembled and served by `rag.http.published_api`.
"""
