"""pydantic-ai with its default settings, on chat completions and on responses."""

import asyncio
import os

from pydantic import BaseModel
from pydantic_ai import Agent, Embedder, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel

MODEL = os.environ["MODEL"]
QUESTION = "How long does an axolotl need to regrow a leg?"


class Weather(BaseModel):
    city: str
    days: int


async def uses(model: OpenAIChatModel | OpenAIResponsesModel) -> None:
    assert (await Agent(model).run(QUESTION)).output
    async with Agent(model).run_stream(QUESTION) as streamed:
        assert "".join([piece async for piece in streamed.stream_text(delta=True)])
    for output_type in (Weather, NativeOutput(Weather)):
        answer = await Agent(model, output_type=output_type).run(QUESTION)
        assert answer.output == Weather(city="text", days=1), (model, answer)


async def calls_functions(model: OpenAIChatModel | OpenAIResponsesModel) -> None:
    agent = Agent(model)

    @agent.tool_plain
    def weather(city: str) -> str:
        """The weather in a city."""
        return f"sunny in {city}"

    first = await agent.run("The weather in Paris?")
    assert "sunny in text" in first.output, first
    assert "sunny in text" in (await agent.run("And in Rome?", message_history=first.all_messages())).output


async def main() -> None:
    for kind in (OpenAIChatModel, OpenAIResponsesModel):
        await uses(kind(MODEL))
        await uses(kind("rag"))
        await calls_functions(kind(MODEL))
    embedded = await Embedder("openai:all-MiniLM-L6-v2").embed_documents(["one", "two"])
    assert [len(vector) for vector in embedded.embeddings] == [384, 384]
    print("passed")


asyncio.run(main())
