"""LangChain's own tests of a chat model, run with its `ChatOpenAI` against this service."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests

from tests.e2e.running import RunningService

TOO_SMALL = {
    "test_structured_output": "repeats itself within the first string",
    "test_structured_output_async": "repeats itself within the first string",
    "test_structured_output_pydantic_2_v1": "repeats itself within the first string",
    "test_agent_loop": "was not trained to choose whether to call a function",
    "test_json_mode": "writes a JSON object that does not end within its tokens",
    "test_structured_output_optional_param": "repeats itself and never ends the text",
    "test_tool_calling_with_no_arguments": "calls the function again and again",
    "test_unicode_tool_call_integration": "copies a Chinese name into the function's arguments, but not a Japanese one",
}
"""Tests that a model of 135 million parameters fails, by name, with the reason."""


@pytest.fixture(scope="module")
def language_model_name(service: RunningService) -> str:
    """Requested before the tests begin, because one of them disables the network."""
    models = service.get("/v1/models").json()["data"]
    return str(next(model["id"] for model in models if model["kind"] == "language"))


@pytest.mark.long  # `test_langchain` in tests/e2e/test_openai_chat.py is the short form
@pytest.mark.filterwarnings(
    # Warnings about LangChain's own behavior: it tries another method, and serializes objects that OpenAI parsed.
    'ignore:Received a Pydantic BaseModel V1 schema. This is not supported by method="json_schema":UserWarning',
    "ignore:Pydantic serializer warnings:UserWarning",
)
class TestChatOpenAI(ChatModelIntegrationTests):
    @pytest.fixture(autouse=True)
    def _served(
        self, request: pytest.FixtureRequest, service: RunningService, language_model_name: str
    ) -> Iterator[None]:
        self.url, self.model_name = f"{service.url}/v1", language_model_name
        name = request.function.__name__
        if name in TOO_SMALL:
            request.applymarker(pytest.mark.xfail(reason=f"the model is too small: {TOO_SMALL[name]}", strict=True))
        # A text may be cut anywhere, a function's arguments may not.
        self.max_tokens = 80 if re.search("tool|structured|agent|json", name) else 16
        # LangChain shares one client, but each test has its own event loop: no connection may outlive the test.
        at_once = httpx2.Limits(max_keepalive_connections=0)
        self.async_client = httpx2.AsyncClient(limits=at_once)
        with httpx2.Client(limits=at_once) as self.client:
            yield

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatOpenAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {
            "model": self.model_name,
            "base_url": self.url,
            "api_key": "none",
            "max_tokens": self.max_tokens,
            "stream_usage": True,  # by default, LangChain requests it only from OpenAI's own server
            "http_client": self.client,
            "http_async_client": self.async_client,
        }

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str:
        return "rag"
