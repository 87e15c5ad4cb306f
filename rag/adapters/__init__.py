"""One heavy library per module or sub-package. Library errors are translated to `rag.errors` here and nowhere else."""
