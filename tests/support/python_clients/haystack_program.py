"""Haystack with its default settings: generators, tools, an agent, embedders with long documents."""

import os
from typing import Annotated

from haystack.components.agents import Agent
from haystack.components.embedders import OpenAIDocumentEmbedder, OpenAITextEmbedder
from haystack.components.generators.chat import OpenAIChatGenerator, OpenAIResponsesChatGenerator
from haystack.dataclasses import ChatMessage, Document
from haystack.tools import tool

BASE = os.environ["OPENAI_BASE_URL"]
MODEL = os.environ["MODEL"]
QUESTION = [ChatMessage.from_user("How long does an axolotl need to regrow a leg?")]


@tool
def weather(city: Annotated[str, "the city"]) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


for kind in (OpenAIChatGenerator, OpenAIResponsesChatGenerator):
    assert kind(model="rag", api_base_url=BASE).run(QUESTION)["replies"][0].text
    pieces = []
    streaming = kind(model="rag", api_base_url=BASE, streaming_callback=pieces.append)
    assert streaming.run(QUESTION)["replies"][0].text
    assert pieces
    (call,) = kind(model=MODEL, api_base_url=BASE, tools=[weather]).run(QUESTION)["replies"][0].tool_calls
    assert (call.tool_name, call.arguments) == ("weather", {"city": "text"})
    agent = Agent(chat_generator=kind(model=MODEL, api_base_url=BASE), tools=[weather])
    assert "sunny in text" in agent.run(messages=QUESTION)["last_message"].text

embedder = {"model": "all-MiniLM-L6-v2", "api_base_url": BASE}
assert len(OpenAITextEmbedder(**embedder).run("Hello")["embedding"]) == 384
documents = [Document(content="short"), Document(content="word " * 2000)]
embedded = OpenAIDocumentEmbedder(**embedder).run(documents)["documents"]
assert [len(document.embedding) for document in embedded] == [384, 384]
print("passed")
