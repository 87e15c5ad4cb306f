"""Search paths: dense, keyword, learned sparse and custom retrievers, with query encoding and batching."""
