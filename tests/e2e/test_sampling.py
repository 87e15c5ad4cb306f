"""Sampling parameters on the real engine: each has its documented effect, and none crashes the engine."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.running import RunningService
from tests.support.metric_values import series

PROMPT = "The capital of France is Paris. The capital of Germany is"
BERLIN, END = 11452, 2
"""Tokens of the embedded model."""


def write(service: RunningService, **sampling: Any) -> dict[str, Any]:
    body = {"prompt": PROMPT, "max_tokens": 8, "temperature": 0, "stream": False, **sampling}
    answer = service.post("/generate", body)
    assert answer.status_code == 200, answer.text
    written: dict[str, Any] = answer.json()
    return written


def test_parameters_change_the_text(service: RunningService) -> None:
    plain = write(service)["text"]
    assert plain.startswith(" Berlin")
    assert "Berlin" not in write(service, logit_bias={str(BERLIN): -100})["text"]
    assert write(service, allowed_token_ids=[BERLIN], max_tokens=3)["text"] == " Berlin" * 3
    assert write(service, stop_token_ids=[BERLIN])["stop_reason"] == BERLIN
    assert write(service, stop="Berlin", include_stop_str_in_output=True)["text"] == " Berlin"
    assert write(service, stop=[".", "Berlin"])["text"] == " "
    assert write(service, logit_bias={str(END): 100})["usage"]["completion_tokens"] == 1
    assert write(service, logit_bias={str(END): 100}, ignore_eos=True)["finish_reason"] == "length"
    assert write(service, logit_bias={str(END): 50}, min_tokens=4)["usage"]["completion_tokens"] == 5
    assert write(service, repetition_penalty=5.0)["text"] != plain
    assert write(service, presence_penalty=2.0, frequency_penalty=2.0, max_tokens=40)["text"] != plain
    assert write(service, temperature=1.5, top_k=1)["text"] == plain
    assert write(service, temperature=1.5, min_p=1.0)["text"] == plain
    assert write(service, temperature=1.5, top_p=0.001)["text"] == plain
    assert write(service, skip_reading_prefix_cache=True, stream_interval=4)["text"] == plain
    seeds = [write(service, temperature=1.5, seed=seed)["text"] for seed in (1, 1, 2)]
    assert seeds[0] == seeds[1] != seeds[2]


def test_special_tokens_can_be_kept_in_the_text(service: RunningService) -> None:
    sampling = {"allowed_token_ids": [1], "max_tokens": 2}
    assert write(service, **sampling)["text"] == ""
    assert write(service, **sampling, skip_special_tokens=False)["text"] == "<|im_start|>" * 2


def test_a_text_that_repeats_itself_ends(service: RunningService) -> None:
    repeats = {"allowed_token_ids": [BERLIN], "max_tokens": 30}
    detection = {"max_pattern_size": 2, "min_count": 4}
    assert write(service, **repeats)["usage"]["completion_tokens"] == 30
    assert write(service, **repeats, repetition_detection=detection)["usage"]["completion_tokens"] < 10


def test_several_texts_and_their_log_probabilities(service: RunningService) -> None:
    whole = write(service, n=3, temperature=1.0, seed=5, logprobs=2, prompt_logprobs=0)
    assert len(whole["texts"]) == 3
    assert whole["text"] == whole["texts"][0]["text"]
    for one in whole["texts"]:
        assert "".join(token["token"] for token in one["logprobs"]) == one["text"]
        assert all(len(token["top"]) == 2 for token in one["logprobs"])
    assert len(whole["prompt_logprobs"]) == whole["usage"]["prompt_tokens"]
    assert whole["prompt_logprobs"][0] is None
    streamed = service.stream(
        "/generate", {"prompt": PROMPT, "max_tokens": 8, "n": 3, "temperature": 1.0, "seed": 5, "logprobs": 2}
    )
    for index, one in enumerate(whole["texts"]):
        pieces = [data for name, data in streamed.events if name == "token" and data.get("index", 0) == index]
        assert "".join(piece["text"] for piece in pieces) == one["text"]
        tokens = [token["token"] for piece in pieces for token in piece.get("logprobs", ())]
        assert tokens == [token["token"] for token in one["logprobs"]]


@pytest.mark.parametrize(
    "wrong",
    [
        {"seed": 2**63}, {"n": 16384}, {"n": 0}, {"stop": [""]}, {"stop_token_ids": [10**9]},
        {"logit_bias": {"99999999": 1}}, {"logit_bias": {"-1": 1}}, {"logit_bias": {"x": 1}},
        {"allowed_token_ids": []}, {"allowed_token_ids": [10**9]}, {"logprob_token_ids": [10**6]},
        {"logprobs": -1}, {"logprobs": 21}, {"prompt_logprobs": -1}, {"bad_words": [" "]}, {"min_tokens": 50},
        {"thinking_token_budget": 5}, {"trace_decode_token_ids": [1]}, {"watermarking": True},
        {"extra_args": {"kv_transfer_params": {}}},
        {"repetition_detection": {"max_pattern_size": 2, "min_pattern_size": 5, "min_count": 2}},
        {"top_k": 2**31}, {"temperature": 2.01}, {"best_of": 2}, {"detokenize": False}, {"temprature": 1},
    ],
    ids=str,
)  # fmt: skip
def test_an_invalid_value_is_a_400_and_the_engine_survives(service: RunningService, wrong: dict[str, Any]) -> None:
    answer = service.post("/generate", {"prompt": PROMPT, "max_tokens": 5, **wrong})
    (name,) = wrong
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["param"].startswith(name)
    assert name in error["message"]
    service.wait_until_idle()


@pytest.mark.parametrize(
    "odd",
    [
        {"seed": -(2**63)}, {"seed": 2**63 - 1}, {"n": 128, "max_tokens": 1}, {"stop": []}, {"top_k": 2**31 - 1},
        {"repetition_penalty": 1e-9}, {"temperature": 1e-9}, {"logit_bias": {}},
        {"stop": ["\U0001f600" * 200, "\x00", "ﷺ"]}, {"bad_words": ["Berlin", "日本"]}, {"stream_interval": 4096},
    ],
    ids=str,
)  # fmt: skip
def test_unusual_values_are_accepted_and_the_engine_survives(service: RunningService, odd: dict[str, Any]) -> None:
    write(service, **{"temperature": 1.0, **odd})
    assert write(service)["text"].startswith(" Berlin")


CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]}
MOST_TEXTS, MOST_TOKENS = 128, 256
"""Together `RAG_LLM__MAX_REQUEST_TOKENS`."""


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/generate", {"prompt": PROMPT}),
        ("/v1/completions", {"model": "gpt-4o-mini", "prompt": PROMPT}),
        ("/v1/chat/completions", CHAT),
    ],
)
def test_a_request_for_too_much_text_is_refused_before_the_engine_has_it(
    service: RunningService, path: str, body: dict[str, Any], stream: bool
) -> None:
    before = prompts_read(service)
    too_much = {"n": MOST_TEXTS, "max_tokens": MOST_TOKENS + 1, "temperature": 1.0, "stream": stream}
    answer = service.post(path, {**body, **too_much})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == "n"
    assert "RAG_LLM__MAX_REQUEST_TOKENS" in answer.json()["error"]["message"]
    assert prompts_read(service) == before


def test_a_request_for_as_much_text_as_is_allowed_is_answered(service: RunningService) -> None:
    before = prompts_read(service)
    at_once = {"logit_bias": {str(END): 100}}
    body = {"prompt": PROMPT, "n": MOST_TEXTS, "max_tokens": MOST_TOKENS, "temperature": 1.0, "stream": False}
    assert service.post("/generate", {**body, **at_once}).status_code == 200
    assert prompts_read(service) > before


def prompts_read(service: RunningService) -> float:
    """Tokens of all prompts that the engine has begun with."""
    metrics = series(service.get("/metrics").text)
    return sum(value for name, value in metrics.items() if name.startswith("vllm:prompt_tokens_total"))
