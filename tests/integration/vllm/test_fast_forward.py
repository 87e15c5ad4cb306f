"""Which requests are fast-forwarded, with the embedded model's tokenizer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any

import pytest

from rag.adapters import model_files
from rag.config import Settings
from rag.errors import RagError
from rag.retrieve.quoting.grammar import chosen_text, fixed_text
from rag.types import Quote
from tests.integration.vllm.conftest import VllmProcess

pytestmark = pytest.mark.integration

TEXTS = ["The axolotl is a salamander from Lake Xochimilco.", "東京タワーの高さは333メートルです。", "Naïve, isn’t it?"]
QUOTES = [Quote(text, f"{text} [{number}]", number, 0, 1) for number, text in enumerate(TEXTS, start=1)]
FIXED = fixed_text(QUOTES)
CHOICE = chosen_text(QUOTES, at_most=2, refusal="I found nothing about this in the documents.")
GREEDY = {"temperature": 0.0, "max_tokens": 50}


def begun(structure: dict[str, Any], sampling: dict[str, Any], *, prefix_cache: bool) -> list[int] | None:
    """The tokens before the first choice; None if the engine writes the text."""
    from transformers import AutoTokenizer
    from vllm.config import StructuredOutputsConfig

    from rag.adapters.vllm.fast_forward.plan import FastForward
    from rag.adapters.vllm.sampling import sampling_of

    tokenizer = AutoTokenizer.from_pretrained(model_files.llm_folder(Settings()))
    model: Any = SimpleNamespace(get_vocab_size=lambda: 49152)
    config: Any = SimpleNamespace(
        model_config=model,
        cache_config=SimpleNamespace(enable_prefix_caching=prefix_cache),
        structured_outputs_config=StructuredOutputsConfig(backend="guidance", disable_any_whitespace=True),
        watermark_config=None,
    )
    engine: Any = SimpleNamespace(get_tokenizer=lambda: tokenizer, model_config=model, vllm_config=config)
    chosen = sampling_of({**sampling, "structured_outputs": structure}, config)
    plan = asyncio.run(FastForward(engine).plan(chosen.params))
    return None if plan is None else list(plan.begun)


def text_of(token_ids: list[int]) -> str:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model_files.llm_folder(Settings()))
    return str(tokenizer.decode(token_ids))


@pytest.mark.parametrize(
    "sampling", [GREEDY, {**GREEDY, "temperature": 0.9, "seed": 1, "presence_penalty": 1.0}], ids=["greedy", "random"]
)
def test_a_single_text_is_known_to_its_end(vllm_process: VllmProcess, sampling: dict[str, Any]) -> None:
    tokens = vllm_process.run(_begun_without_cache, FIXED, sampling)
    assert vllm_process.run(text_of, tokens) == FIXED["choice"][0]


def _begun_without_cache(structure: dict[str, Any], sampling: dict[str, Any]) -> list[int] | None:
    return begun(structure, sampling, prefix_cache=False)


def _begun(structure: dict[str, Any], sampling: dict[str, Any]) -> list[int] | None:
    return begun(structure, sampling, prefix_cache=True)


def test_a_choice_is_fast_forwarded(vllm_process: VllmProcess) -> None:
    assert vllm_process.run(_begun, CHOICE, GREEDY) == []


def test_without_a_prefix_cache_the_engine_writes_what_it_chooses(vllm_process: VllmProcess) -> None:
    assert vllm_process.run(_begun_without_cache, CHOICE, GREEDY) is None


@pytest.mark.parametrize("more", [{"temperature": 0.5}, {"frequency_penalty": 0.5}, {"repetition_penalty": 1.1}])
def test_the_engine_writes_what_depends_on_chance_or_on_the_tokens_before(
    vllm_process: VllmProcess, more: dict[str, Any]
) -> None:
    assert vllm_process.run(_begun, CHOICE, {**GREEDY, **more}) is None


@pytest.mark.parametrize(
    "more",
    [
        {"stop": ["salamander"]}, {"stop_token_ids": [5]}, {"logprobs": 1}, {"prompt_logprobs": 0},
        {"n": 2, "temperature": 1.0}, {"ignore_eos": True}, {"min_tokens": 3}, {"logit_bias": {"5": 1.0}},
        {"bad_words": ["salamander"]},
        {"repetition_detection": {"max_pattern_size": 64, "min_pattern_size": 2, "min_count": 4}},
    ],
    ids=lambda more: next(iter(more)),
)  # fmt: skip
def test_the_engine_writes_what_has_other_parameters(vllm_process: VllmProcess, more: dict[str, Any]) -> None:
    assert vllm_process.run(_begun, FIXED, {**GREEDY, **more}) is None


class FakeEngine:
    """Answers each request with one output, or never.

    Args:
        finish_reason: None: it never answers.
    """

    def __init__(self, finish_reason: str | None) -> None:
        self._finish_reason = finish_reason
        self.requests: list[Any] = []
        self.closed = 0

    async def generate(self, *request: Any, **options: Any) -> AsyncGenerator[Any, None]:
        self.requests.append((*request, options))
        try:
            if self._finish_reason is None:
                await asyncio.Event().wait()
            token_ids = [7] if self._finish_reason == "length" else []
            text = SimpleNamespace(finish_reason=self._finish_reason, token_ids=token_ids)
            yield SimpleNamespace(outputs=[text], num_cached_tokens=32)
        finally:
            self.closed += 1


def asked(finish_reason: str | None) -> dict[str, Any]:
    from rag.adapters.vllm.fast_forward.choices import EngineChoices

    engine: Any = FakeEngine(finish_reason)
    prompt = {"type": "token", "prompt_token_ids": [1, 2], "cache_salt": "tenant"}
    choices = EngineChoices(engine, prompt, "id", {"lora_request": None})

    async def choose() -> Any:
        async with asyncio.timeout(0.2 if finish_reason is None else 60):
            return await choices.choose([3, 4], [7, 8])

    try:
        chosen = asyncio.run(choose())
        result: Any = [chosen.token_id, chosen.cached_tokens]
    except (RagError, TimeoutError) as error:
        result = type(error).__name__
    ((sent, params, request_id, options),) = engine.requests
    allowed = [params.temperature, params.max_tokens, params.allowed_token_ids]
    return {"result": result, "closed": engine.closed, "prompt": sent, "allowed": allowed, "id": request_id, **options}


def test_the_engine_is_asked_for_one_token(vllm_process: VllmProcess) -> None:
    assert vllm_process.run(asked, "length") == {
        "result": [7, 32],
        "closed": 1,
        "prompt": {"type": "token", "prompt_token_ids": [1, 2, 3, 4], "cache_salt": "tenant"},
        "allowed": [0.0, 1, [7, 8]],
        "id": "id-2",
        "lora_request": None,
    }


@pytest.mark.parametrize("reason", ["abort", "error"])
def test_a_dropped_request_is_an_error(vllm_process: VllmProcess, reason: str) -> None:
    assert vllm_process.run(asked, reason)["result"] == "DependencyUnavailable"


def test_a_client_that_leaves_ends_the_request(vllm_process: VllmProcess) -> None:
    left = vllm_process.run(asked, None)
    assert (left["result"], left["closed"]) == ("TimeoutError", 1)
