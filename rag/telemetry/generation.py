"""Metrics of the LLM service, whether vLLM or another server writes the text. vLLM's own have the prefix `vllm:`."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from rag.auth.caller import DEFAULT_TENANT

REGISTRY = CollectorRegistry()

TOKENS = Counter(
    "rag_tokens_total",
    "Tokens of texts that have ended: `prompt` or `completion`. `cached_prompt` is the part of the prompts that was in "
    "the prefix cache, `reasoning` the part of the completions that the model used to think, `forced` the part that a "
    "structured output left no choice about, and that was written without computing it.",
    ("tenant", "type"),
    registry=REGISTRY,
)
RUNNING = Gauge("rag_generations_running", "Requests for text in progress.", registry=REGISTRY)
FIRST_TOKEN = Histogram(
    "rag_generation_first_token_seconds",
    "Time from a request to the language model to its first token.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30),
    registry=REGISTRY,
)
INTER_TOKEN = Histogram(
    "rag_generation_inter_token_seconds",
    "Mean time between two tokens of a text, one value for each request.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1),
    registry=REGISTRY,
)

for _type in ("prompt", "cached_prompt", "completion", "reasoning", "forced"):
    TOKENS.labels(DEFAULT_TENANT, _type)
