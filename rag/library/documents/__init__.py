"""Operations on documents, files, vector stores and jobs, from upload to reindexing."""
