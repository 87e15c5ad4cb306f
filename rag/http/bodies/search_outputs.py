"""Converts the results of searches that the language model asked for to and from JSON."""

from __future__ import annotations

from rag.http.bodies.hits import hit_from_wire, hit_to_wire
from rag.types import JsonMapping, JsonObject, SearchOutput


def search_output_to_wire(output: SearchOutput) -> JsonObject:
    return {
        "text": output.text,
        "tokens": output.tokens,
        "hits": [hit_to_wire(hit) for hit in output.hits],
        "numbers": list(output.numbers),
        "top_k": output.top_k,
        "note": output.note,
        "explanations": list(output.explanations),
    }


def search_output_from_wire(wire: JsonMapping) -> SearchOutput:
    return SearchOutput(
        wire["text"],
        wire["tokens"],
        tuple(hit_from_wire(hit) for hit in wire["hits"]),
        tuple(wire["numbers"]),
        wire["top_k"],
        wire["note"],
        tuple(wire["explanations"]),
    )
