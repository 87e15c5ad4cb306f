from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

from rag.ports import TokenStream
from rag.types import Chat, Facts, JsonObject, ModelInput, SamplingParameters, StreamEnd, TextDelta, Usage
from tests.fakes.language_model.instant_engine import InstantEngine

_RETURNED = "The function returned:\n"


class CallingEngine(InstantEngine):
    """Calls the first function that a conversation offers, once, and then repeats what the function returned.

    It has no parser for calls, so it writes them as text. Where a schema is prescribed, it writes a value of it, with
    the last of several alternatives if a function has returned, else with the first. Any other request gets a sentence.
    """

    def facts(self) -> Facts:
        return {**super().facts(), "tool_parser": None}

    @asynccontextmanager
    async def generate(
        self, prompt: ModelInput, sampling: SamplingParameters, request_id: str, *, model: str = ""
    ) -> AsyncIterator[TokenStream]:
        async with aclosing(_lines(_text(prompt, sampling.get("structured_outputs") or {}))) as lines:
            yield lines


def _text(prompt: ModelInput, structure: SamplingParameters) -> str:
    messages = prompt.messages if isinstance(prompt, Chat) else ()
    last = str(messages[-1]["content"]) if messages else ""
    has_returned = last.startswith(_RETURNED) or any(message["role"] == "tool" for message in messages)
    if "json_object" in structure:
        return "{}"
    if (schema := structure.get("json")) is not None:
        return json.dumps(example_of(schema, schema, option=-1 if has_returned else 0))
    if last.startswith(_RETURNED):
        return f"It says: {last.removeprefix(_RETURNED)}"
    if tag := structure.get("structural_tag"):
        first = tag["structures"][0]
        return f"{first['begin']}{json.dumps(example_of(first['schema'], first['schema']))}{first['end']}"
    return "An axolotl needs 40 days [1]."


async def _lines(text: str) -> AsyncGenerator[TextDelta | StreamEnd, None]:
    lines = text.splitlines(keepends=True)
    for line in lines:
        yield TextDelta(line)
    yield StreamEnd("stop", Usage(1, len(lines), 0))


def example_of(schema: Any, root: JsonObject, *, option: int = 0) -> Any:
    """A value that the schema admits, if it consists of the usual keywords.

    Args:
        option: Which of several alternatives it follows.
    """
    if not isinstance(schema, dict):
        return "text"
    if reference := schema.get("$ref"):
        target: Any = root
        for name in reference.removeprefix("#/").split("/"):
            target = target[name]
        return example_of(target, root, option=option)
    for keyword in ("enum", "anyOf", "oneOf", "allOf"):
        if options := schema.get(keyword):
            return options[0] if keyword == "enum" else example_of(options[option], root)
    if "const" in schema:
        return schema["const"]
    kind = schema.get("type", "object")
    match kind if isinstance(kind, str) else kind[0]:
        case "object":
            return {name: example_of(part, root) for name, part in schema.get("properties", {}).items()}
        case "array":
            return [
                example_of(schema.get("items"), root, option=option) for _ in range(max(1, schema.get("minItems", 0)))
            ]
        case "integer" | "number":
            return max(1, schema.get("minimum", 1))
        case "boolean":
            return True
        case "null":
            return None
    return "text"
