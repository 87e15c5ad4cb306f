"""What people do with documents: files, vector stores, jobs. Built on the catalog, the blobs and the job engine."""
