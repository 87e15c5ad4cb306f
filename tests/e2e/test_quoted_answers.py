"""Quoted answers from the real engine: nothing but parts of the documents."""

from __future__ import annotations

import re
from typing import Any

import httpx
import openai
import pytest

from rag.generate.pipeline import NOT_FOUND
from rag.retrieve.quoting.grammar import chosen_text, fixed_text
from rag.types import Quote
from tests.e2e.conftest import AXOLOTL, DOCS
from tests.e2e.running import LIMIT_S, RunningService

QUESTION = "Which lake is the axolotl from?"
SENTENCE = "The axolotl is a salamander from Lake Xochimilco near Mexico City."


def check_quotes(text: str, citations: list[dict[str, Any]], names: list[str]) -> None:
    """Each quote stands where its citation says, in the answer and in the document, and nothing else is said."""
    rest = text
    for citation in citations:
        quote = citation["quote"]
        quoted = text[quote["start"] : quote["end"]]
        source = DOCS[names[citation["index"] - 1]][quote["source_start"] : quote["source_end"]]
        assert source.split()[-3:] == quoted.split()[-3:]
        assert text[citation["start"] : citation["end"]] == f"[{citation['index']}]"
        rest = rest.replace(quoted, "", 1)
    assert re.fullmatch(r"(\s|\[\d+\])*", rest)


def test_the_embedded_model_quotes(filled: RunningService) -> None:
    answered = filled.stream("/ask", {"question": QUESTION})
    done = answered.data("done")
    assert (done["style"], done["finish_reason"]) == ("quoted", "stop")
    assert SENTENCE in answered.text
    assert done["confidence"] > 0.5
    assert "note" not in done
    check_quotes(answered.text, done["citations"], [hit["filename"] for hit in answered.data("sources")["sources"]])


def test_a_question_about_something_else_is_not_answered(filled: RunningService) -> None:
    answered = filled.stream("/ask", {"question": "Who won the football world cup of 2014?"})
    assert (answered.text, answered.data("done")["finish_reason"]) == (NOT_FOUND, "no_sources")


def test_chats_and_responses_say_their_style(filled: RunningService) -> None:
    with openai.OpenAI(base_url=f"{filled.url}/v1", api_key="none", timeout=LIMIT_S) as client:
        messages: Any = [{"role": "user", "content": QUESTION}]
        chat = client.chat.completions.create(model="rag", messages=messages)
        rag: Any = (chat.choices[0].message.model_extra or {})["rag"]
        assert (rag["style"], SENTENCE in str(chat.choices[0].message.content)) == ("quoted", True)
        check_quotes(
            str(chat.choices[0].message.content), rag["citations"], [hit["filename"] for hit in rag["sources"]]
        )
        made = client.responses.create(model="rag", input=QUESTION, extra_body={"style": "quoted"})
        assert (made.model_extra or {})["rag"]["style"] == "quoted"
        assert SENTENCE in made.output_text
        written = client.responses.create(
            model="rag", input=QUESTION, max_output_tokens=4, extra_body={"style": "written"}
        )
        assert (written.model_extra or {})["rag"]["style"] == "written"


def test_several_texts_are_the_same_quotes(filled: RunningService) -> None:
    body = {"model": "rag", "messages": [{"role": "user", "content": QUESTION}], "n": 2}
    choices = filled.post("/v1/chat/completions", body).json()["choices"]
    assert [SENTENCE in choice["message"]["content"] for choice in choices] == [True, True]
    assert all(choice["message"]["rag"]["citations"] for choice in choices)


def test_a_quote_that_is_cut_off_is_not_cited(filled: RunningService) -> None:
    done = filled.stream("/ask", {"question": QUESTION, "max_tokens": 4}).data("done")
    assert (done["finish_reason"], done["citations"]) == ("length", [])


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"structured_outputs": {"choice": ["yes"]}}, "structured_outputs"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"min_tokens": 9}, "min_tokens"),
    ],
)
def test_what_constrains_the_text_is_refused_by_name(filled: RunningService, body: dict[str, Any], param: str) -> None:
    chat = {"model": "rag", "messages": [{"role": "user", "content": QUESTION}], "style": "quoted", **body}
    refused = filled.post("/v1/chat/completions", chat)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)


def test_the_language_model_itself_has_no_style(filled: RunningService, language_model: Any) -> None:
    chat = {"model": language_model.name, "messages": [{"role": "user", "content": "Hi"}], "style": "quoted"}
    refused = filled.post("/v1/chat/completions", chat)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "style")


def test_a_model_that_chooses_writes_some_of_the_quotes_in_their_order(filled: RunningService) -> None:
    texts = [SENTENCE, 'He said: "Größe 東京\\n".', "Paper came to Europe from China."]
    quotes = [Quote(text, f"{text} [{number}]", number, 0, 1) for number, text in enumerate(texts, start=1)]
    structure = chosen_text(quotes, at_most=2, refusal=NOT_FOUND)
    allowed = {NOT_FOUND, *(quote.marked for quote in quotes)}
    allowed |= {f"{one.marked}\n{other.marked}" for n, one in enumerate(quotes) for other in quotes[n + 1 :]}
    for seed in range(3):
        body = {
            "prompt": QUESTION,
            "max_tokens": 120,
            "temperature": 1.0,
            "seed": seed,
            "structured_outputs": structure,
        }
        answered = httpx.post(f"{filled.url}/generate", json={**body, "stream": False}, timeout=LIMIT_S)
        assert answered.json()["text"] in allowed, answered.text


def generated(service: RunningService, **sampling: Any) -> dict[str, Any]:
    body = {"prompt": QUESTION, "max_tokens": 120, "temperature": 0.0, "stream": False, **sampling}
    answered = httpx.post(f"{service.url}/generate", json=body, timeout=LIMIT_S)
    assert answered.status_code == 200, answered.text
    result: dict[str, Any] = answered.json()
    return result


def forced_tokens(service: RunningService) -> int:
    """Tokens that were not computed, so far."""
    series = re.findall(
        r'^rag_tokens_total\{[^}]*type="forced"[^}]*\} (\S+)', service.get("/metrics").text, re.MULTILINE
    )
    return int(sum(map(float, series)))


@pytest.mark.parametrize("max_tokens", [120, 9], ids=["whole", "cut off"])
@pytest.mark.parametrize("who", ["the ranking", "the model"])
def test_the_engine_would_write_what_it_is_not_asked_for(filled: RunningService, who: str, max_tokens: int) -> None:
    texts = [SENTENCE, "Größe: 東京タワーの高さは333メートルです。", "Paper came to Europe from China."]
    quotes = [Quote(text, f"{text} [{number}]", number, 0, 1) for number, text in enumerate(texts, start=1)]
    chosen = chosen_text(quotes, at_most=2, refusal=NOT_FOUND)
    request = {"structured_outputs": fixed_text(quotes) if who == "the ranking" else chosen, "max_tokens": max_tokens}
    before = forced_tokens(filled)
    spared = generated(filled, **request)
    assert forced_tokens(filled) > before
    computed = generated(filled, **request, logprobs=0)  # which only the engine knows
    assert (spared["text"], spared["finish_reason"]) == (computed["text"], computed["finish_reason"])
    counts = ("prompt_tokens", "completion_tokens")
    assert [spared["usage"][name] for name in counts] == [computed["usage"][name] for name in counts]


def test_the_documents_have_what_is_quoted() -> None:
    assert SENTENCE in " ".join(AXOLOTL.split())
