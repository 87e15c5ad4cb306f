"""Client libraries, with their default settings, let a language model call functions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.llms.openai_like import OpenAILike  # type: ignore[import-untyped]

from tests.e2e.running import RunningService
from tests.support.servers.service_without_engine import engineless_service

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(900)]

MODEL = "instant"


@pytest.fixture(scope="module")
def service(language_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("calling")
    with engineless_service(folder, language_model, target="tests.support.calling_bundle:RAG") as running:
        yield running


def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


@pytest.mark.parametrize("uses_responses", [False, True], ids=["chat", "responses"])
def test_langchain(service: RunningService, uses_responses: bool) -> None:
    with httpx.Client(timeout=None) as http:
        chat = ChatOpenAI(
            base_url=f"{service.url}/v1",
            api_key="none",
            model=MODEL,
            use_responses_api=uses_responses,
            http_client=http,
        )
        bound, question = chat.bind_tools([weather]), HumanMessage("What is the weather in Paris?")
        calling = bound.invoke([question])
        (call,) = calling.tool_calls
        assert (call["name"], call["args"]) == ("weather", {"city": "text"})
        returned = ToolMessage(weather(**call["args"]), tool_call_id=call["id"])
        assert "sunny in text" in bound.invoke([question, calling, returned]).text


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # its own use of pydantic
async def test_an_agent_of_llamaindex_streams_calls(service: RunningService) -> None:
    """It reads only the first part of a call in each chunk."""
    async with httpx.AsyncClient(timeout=None) as http:
        model = OpenAILike(
            api_base=f"{service.url}/v1",
            api_key="none",
            model=MODEL,
            is_chat_model=True,
            is_function_calling_model=True,
            async_http_client=http,
        )
        answer = await FunctionAgent(tools=[weather], llm=model).run("What is the weather in Paris?")
    assert "sunny in text" in str(answer)


def test_openai_calls_a_function_in_kept_responses(service: RunningService) -> None:
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key="none") as client:
        parameters: dict[str, Any] = {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        }
        tool = openai.types.responses.FunctionToolParam(
            type="function", name="weather", parameters=parameters, strict=False
        )
        first = client.responses.create(model=MODEL, input="What is the weather in Paris?", tools=[tool])
        (call,) = (item for item in first.output if item.type == "function_call")
        second = client.responses.create(
            model=MODEL,
            previous_response_id=first.id,
            input=[{"type": "function_call_output", "call_id": call.call_id, "output": "sunny in Paris"}],
            tools=[tool],
        )
        assert "sunny in Paris" in second.output_text
