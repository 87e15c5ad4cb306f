"""A vector for each token: computing, storing and reading them, and reranking by late interaction."""
