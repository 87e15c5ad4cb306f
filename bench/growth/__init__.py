"""How latency, memory and CPU time grow with chunks, users, hits and the size of documents."""
