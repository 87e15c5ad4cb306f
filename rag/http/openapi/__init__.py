"""The published description of the API: what Swagger UI at `/` shows, and `/docs.json` gives.

operation.py says what an operation is; native, files, stores, documents, jobs, language and probes hold them, by their
routes; document.py makes one OpenAPI document of all.
"""
