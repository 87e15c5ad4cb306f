"""Schemas of what the code takes as plain objects and checks by itself: filters, chunking, attributes, formats."""

from __future__ import annotations

from collections.abc import Mapping

from rag.chunkers.chunker import MAX_CHARS
from rag.chunkers.strategy import MAX_QUESTIONS
from rag.http.attributes_wire import MAX_KEY_CHARS, MAX_TEXT_CHARS
from rag.http.v1.completions.body import MAX_PROMPTS
from rag.http.v1.embeddings import MAX_INPUTS
from rag.http.v1.rerank import MAX_DOCUMENTS
from rag.records import MAX_ATTRIBUTES
from rag.retrieve.search.filters import MAX_LIST_VALUES, MAX_STRING_CHARS
from rag.types import JsonObject

BY_NAME: Mapping[str, str] = {
    "filters": "Filter",
    "chunking_strategy": "ChunkingStrategy",
    "attributes": "Attributes",
    "response_format": "ResponseFormat",
}
"""Component by the name of the field that it stands in."""
IN_ONE: Mapping[str, Mapping[str, str]] = {
    "SetAttributes": {"attributes": "ChangedAttributes"},
    "VectorStore": {"chunking_strategy": "KeptChunkingStrategy"},
    "VectorStoreFile": {"chunking_strategy": "KeptChunkingStrategy"},
}
"""The same, for the fields of one model."""
EXAMPLES: Mapping[str, JsonObject] = {
    "ChatBody": {
        "model": "rag",
        "messages": [{"role": "user", "content": "What is this service made of?"}],
        "max_tokens": 64,
    },
    "CompletionBody": {"model": "smollm2-135m-instruct", "prompt": "The capital of France is", "max_tokens": 16},
    "ResponsesBody": {"model": "rag", "input": "What is this service made of?", "max_output_tokens": 64},
    "CreateEmbeddings": {"model": "all-MiniLM-L6-v2", "input": "What is this service made of?"},
    "Rerank": {"query": "readiness", "documents": ["The service is ready.", "Gulls drink salt water."]},
}
"""Of models that bring none of their own."""
EXACTLY_ONE: Mapping[str, tuple[str, str]] = {
    "GenerateRequest": ("prompt", "tokens"),
    "CreateBatch": ("file_ids", "files"),
}
"""Fields of a model of which a request has one, and not null."""


def _reference(name: str) -> JsonObject:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: list[str], /, **properties: JsonObject) -> JsonObject:
    fields = {name.rstrip("_"): schema for name, schema in properties.items()}
    return {"type": "object", "properties": fields, "required": required, "additionalProperties": False}


def _sizes(kind: str, **bounds: tuple[int, int]) -> JsonObject:
    """A strategy of one kind; sizes that are left out have defaults that suit the others."""
    sizes = {
        name: {"type": ["integer", "null"], "minimum": low, "maximum": high} for name, (low, high) in bounds.items()
    }
    questions: JsonObject = {
        "type": ["integer", "null"],
        "minimum": 0,
        "maximum": MAX_QUESTIONS,
        "description": "Question-answer pairs that the language model makes of each passage.",
    }
    schema = _object(["type"], type={"const": kind}, questions=questions)
    schema["properties"][kind] = {"type": "object", "properties": sizes, "additionalProperties": False}
    return schema


def _tokens() -> JsonObject:
    return {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}, "minItems": 1}


def _inputs(most: int) -> JsonObject:
    """A text, token ids, or several of one kind."""
    several = [{"type": "array", "items": one, "minItems": 1, "maxItems": most} for one in (_SOME_TEXT, _tokens())]
    return {"anyOf": [_SOME_TEXT, *several, _tokens()]}


def _content(part: str) -> JsonObject:
    parts: JsonObject = {"type": "array", "items": _reference(part)}
    return {"anyOf": [{"type": "string"}, parts, {"type": "null"}], "default": None}


def _attributes(description: str, *more: JsonObject) -> JsonObject:
    text: JsonObject = {"type": "string", "maxLength": MAX_TEXT_CHARS}
    return {
        "description": description,
        "type": "object",
        "maxProperties": MAX_ATTRIBUTES,
        "propertyNames": {"minLength": 1, "maxLength": MAX_KEY_CHARS},
        "additionalProperties": {"anyOf": [text, {"type": "number"}, {"type": "boolean"}, *more]},
    }


_SOME_TEXT: JsonObject = {"type": "string", "minLength": 1}
_KEY: JsonObject = {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"}
_TEXT: JsonObject = {"type": "string", "maxLength": MAX_STRING_CHARS}
_ORDERED: JsonObject = {"anyOf": [_TEXT, {"type": "number"}]}
_SCALAR: JsonObject = {"anyOf": [_TEXT, {"type": "number"}, {"type": "boolean"}]}
_LIST: JsonObject = {"type": "array", "items": _SCALAR, "minItems": 1, "maxItems": MAX_LIST_VALUES}


def _comparison(kinds: list[str], value: JsonObject) -> JsonObject:
    return _object(["type", "key", "value"], type={"type": "string", "enum": kinds}, key=_KEY, value=value)


WORDS: Mapping[str, JsonObject] = {
    "Filter": {
        "description": "OpenAI's filter over the documents' attributes, and over `filename` and `file_id`; "
        "8 levels and 64 clauses at most.",
        "oneOf": [_reference("Comparison"), _reference("CompoundFilter")],
        "example": {"type": "eq", "key": "topic", "value": "guide"},
    },
    "Comparison": {
        "oneOf": [
            _comparison(["eq", "ne"], _SCALAR),
            _comparison(["gt", "gte", "lt", "lte"], _ORDERED),
            _comparison(["in", "nin"], _LIST),
        ]
    },
    "CompoundFilter": _object(
        ["type", "filters"],
        type={"type": "string", "enum": ["and", "or"]},
        filters={"type": "array", "items": _reference("Filter"), "minItems": 1, "maxItems": 63},
    ),
    "ChunkingStrategy": {
        "description": "How files are cut. `auto`: as the vector store or the service says.",
        "oneOf": [
            _object(["type"], type={"const": "auto"}),
            _sizes("static", max_chunk_size_tokens=(100, 4096), chunk_overlap_tokens=(0, 2048)),
            _sizes("recursive", max_chars=(64, MAX_CHARS), overlap_chars=(0, MAX_CHARS // 2)),
            _sizes("sentences", max_chars=(64, MAX_CHARS), overlap_sentences=(0, 10)),
            _sizes("structure", max_chars=(64, MAX_CHARS)),
            _sizes("parent_child", parent_chars=(128, MAX_CHARS), child_chars=(64, MAX_CHARS // 2)),
        ],
        "example": {"type": "auto"},
    },
    "KeptChunkingStrategy": {
        "description": "With all sizes. `other`: one of ours, which `strategy` names.",
        "type": "object",
        "properties": {
            "type": {"type": "string", "enum": ["static", "other"]},
            "strategy": {"type": "string", "enum": ["recursive", "sentences", "structure", "parent_child"]},
        },
        "required": ["type"],
    },
    "Attributes": _attributes("Kept with a document; filters compare them."),
    "ChangedAttributes": _attributes("With `merge`, null removes one.", {"type": "null"}),
    "ResponseFormat": {
        "description": "OpenAI's response format.",
        "oneOf": [
            {"type": "object", "properties": {"type": {"const": "text"}}, "required": ["type"]},
            {"type": "object", "properties": {"type": {"const": "json_object"}}, "required": ["type"]},
            {
                "type": "object",
                "properties": {
                    "type": {"const": "json_schema"},
                    "json_schema": {
                        "type": "object",
                        "properties": {"schema": {"type": "object", "description": "A JSON Schema."}},
                        "required": ["schema"],
                    },
                },
                "required": ["type", "json_schema"],
            },
        ],
        "example": {"type": "text"},
    },
}
FIELDS: Mapping[str, Mapping[str, JsonObject]] = {
    "CreateEmbeddings": {"input": _inputs(MAX_INPUTS)},
    "CompletionBody": {"prompt": _inputs(MAX_PROMPTS)},
    "Rerank": {
        "documents": {
            "type": "array",
            "items": {"anyOf": [_SOME_TEXT, _object(["text"], text=_SOME_TEXT)]},
            "minItems": 1,
            "maxItems": MAX_DOCUMENTS,
        }
    },
    "MessageIn": {"content": _content("TextPart")},
    "InputItem": {"content": _content("ResponseTextPart")},
    "ResponsesBody": {"input": {"anyOf": [_SOME_TEXT, {"type": "array", "items": _reference("InputItem")}]}},
}
"""Fields whose forms are sorted out by the code, by model."""
