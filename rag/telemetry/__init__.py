"""Names of all metrics and spans. Nothing else in the project names one.

    http        metrics of requests, in every service
    queues      metrics of the queues that callers share, in every service that has one
    answers     metrics of the edge: answers, first tokens
    retrieval   metrics of the Retriever: stages, caches, jobs, the parser, Milvus, the disk
    generation  metrics of the LLM service: tokens
    tenants     metrics of the edge by tenant; the label that a tenant has
    exposition  metrics -> the text that Prometheus reads
    tracing     OpenTelemetry spans

A process keeps its metrics in memory. BentoML makes `prometheus_client` keep them in files of a folder that all
services of a user share, and empties that folder whenever one of them starts (docs/bentoml_issues.md#b25).
"""

import os

os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)  # read when prometheus_client is imported
