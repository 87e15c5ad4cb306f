"""From the lists of every search path to one ranked list: fusion, deduplication, reranking."""
