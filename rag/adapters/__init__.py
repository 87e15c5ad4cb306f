"""One heavy library a file; library errors become `rag.errors` here and nowhere else."""
