"""Evaluation of retrieval and answers.

`harness` is what `python -m rag eval` runs: it reads question sets, queries a running service and reports metrics. The
modules beside it are programs for this repository: `sweep` (with `sweep_stages`, `sweep_split` and `sweep_report`)
tunes the defaults, `exact_search` measures the encoder without the service, `injection` measures prompt injection, and
`milvus_docs` makes a set from the documentation of Milvus. `sets`, `baselines` and `results` are data.
"""
