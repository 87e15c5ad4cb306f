"""`ingest`: uploads documents, follows their jobs and watches folders."""
