"""vLLM's sampling parameters, in what an OpenAI-compatible server is sent."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from typing import Any

import pytest

from rag.adapters.openai.sampling import OPENAI_NAMES, VLLM_NAMES, openai_fields
from rag.errors import InvalidRequest

REFUSED = {
    "prompt_logprobs", "prompt_logprob_token_ids", "prompt_logprob_start", "flat_logprobs", "detokenize", "output_kind",
    "skip_clone", "output_text_buffer_length", "skip_reading_prefix_cache", "routed_experts_prompt_start",
    "trace_decode_token_ids",
}  # fmt: skip
"""Of vLLM's parameters those that its server does not take either, or not in a stream."""
TRANSLATED = {"logprobs", "structured_outputs", "extra_args"}


def fields(is_chat: bool = True, is_vllm: bool = True, **sampling: Any) -> dict[str, Any]:
    return openai_fields(sampling, is_chat=is_chat, is_vllm=is_vllm)


def test_what_is_called_the_same_stays_and_none_is_left_out() -> None:
    assert fields(temperature=0.5, top_k=3, seed=None, stop=["a"]) == {"temperature": 0.5, "top_k": 3, "stop": ["a"]}


def test_logprobs_of_chats_and_of_texts() -> None:
    assert fields(logprobs=3) == {"logprobs": True, "top_logprobs": 3}
    assert fields(logprobs=0) == {"logprobs": True, "top_logprobs": 0}
    assert fields(is_chat=False, logprobs=3) == {"logprobs": 3}


@pytest.mark.parametrize("is_vllm", [True, False])
@pytest.mark.parametrize("schema", [{"type": "object"}, '{"type": "object"}'], ids=["object", "text"])
def test_json_is_said_in_openai_s_terms(schema: Any, is_vllm: bool) -> None:
    form = fields(is_vllm=is_vllm, structured_outputs={"json": schema})["response_format"]
    assert form == {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}}
    assert fields(is_vllm=is_vllm, structured_outputs={"json_object": True, "json": None}) == {
        "response_format": {"type": "json_object"}
    }


@pytest.mark.parametrize(
    "structure",
    [{"regex": "a+"}, {"choice": ["a"]}, {"grammar": "root ::= x"}, {"json": {}, "disable_any_whitespace": True}],
    ids=str,
)
def test_other_structures_are_for_vllm_alone(structure: Any) -> None:
    assert fields(structured_outputs=structure) == {"structured_outputs": structure}
    with pytest.raises(InvalidRequest, match=next(iter(structure))) as refused:
        fields(is_vllm=False, structured_outputs=structure)
    assert refused.value.param == "structured_outputs"


def test_a_schema_that_is_no_json_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="json: must be JSON") as refused:
        fields(structured_outputs={"json": "{oops"})
    assert refused.value.param == "structured_outputs"


@pytest.mark.parametrize("name", [*sorted(REFUSED), "temprature"])
def test_what_no_server_takes_is_refused_by_name(name: str) -> None:
    with pytest.raises(InvalidRequest, match=name) as refused:
        openai_fields({name: 1}, is_chat=True, is_vllm=True)
    assert refused.value.param == name


def test_each_parameter_of_the_installed_vllm_is_accounted_for() -> None:
    known = OPENAI_NAMES | VLLM_NAMES | TRANSLATED | REFUSED
    assert known == _fields_of("vllm", "sampling_params.py", "SamplingParams")


def test_vllm_s_server_takes_what_it_is_said_to() -> None:
    sent = OPENAI_NAMES | VLLM_NAMES | {"structured_outputs", "response_format", "logprobs", "vllm_xargs"}
    server = "entrypoints/openai"
    assert sent <= _fields_of("vllm", f"{server}/completion/protocol.py", "CompletionRequest")
    of_chats = _fields_of("vllm", f"{server}/chat_completion/protocol.py", "ChatCompletionRequest")
    assert {*sent, "top_logprobs", "max_completion_tokens", "chat_template_kwargs"} <= of_chats


def _fields_of(package: str, path: str, name: str) -> set[str]:
    """Of a class, read from its file: to import vLLM takes ten seconds."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    tree = ast.parse((Path(str(spec.origin)).parent / path).read_text())
    (found,) = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    names = [n.target.id for n in found.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)]
    return {each for each in names if not each.startswith("_")}
