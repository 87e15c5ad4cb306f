"""Operations on documents, files, vector stores and jobs. `service.Library` is the interface for the HTTP layer.

Each module holds the operations on one noun, as functions of `LibraryResources`. They block: callers run them in
threads.
"""
