"""`jobs` and `reindex`, and the progress of jobs for all commands that wait for them."""
