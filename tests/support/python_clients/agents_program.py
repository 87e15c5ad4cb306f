"""openai-agents with its default settings, on /v1/responses: searches, functions, sessions, output types."""

import asyncio
import os

import openai
from agents import Agent, FileSearchTool, ModelSettings, Runner, SQLiteSession, function_tool
from pydantic import BaseModel

MODEL = os.environ["MODEL"]
QUESTION = "How long does an axolotl need to regrow a leg?"


@function_tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


class Weather(BaseModel):
    city: str
    days: int


async def searches(store: str) -> None:
    tool = FileSearchTool(vector_store_ids=[store], max_num_results=3, include_search_results=True)
    for model in ("rag", MODEL):
        answer = await Runner.run(Agent(name="searches", model=model, tools=[tool]), QUESTION)
        calls = [item.raw_item for item in answer.new_items if item.type == "tool_call_item"]
        assert [call.type for call in calls] == ["file_search_call"], (model, calls)
        assert calls[0].results[0].filename == "axolotl.md", (model, calls)
        assert answer.final_output, model
    streamed = Runner.run_streamed(Agent(name="streams", model="rag", tools=[tool]), QUESTION)
    kinds = {event.data.type async for event in streamed.stream_events() if event.type == "raw_response_event"}
    assert {"response.file_search_call.completed", "response.output_text.delta", "response.completed"} <= kinds, kinds
    assert streamed.final_output


async def calls_functions() -> None:
    agent = Agent(name="calls", model=MODEL, tools=[weather])
    session = SQLiteSession("one")
    for question in ("The weather in Paris?", "And in Rome?"):
        answer = await Runner.run(agent, question, session=session)
        assert "sunny in text" in answer.final_output, answer
    settings = ModelSettings(tool_choice="required")
    forced = Agent(name="forced", model="rag", tools=[weather], model_settings=settings)
    assert (await Runner.run(forced, QUESTION)).final_output
    typed = await Runner.run(Agent(name="typed", model=MODEL, output_type=Weather), "The weather in Paris?")
    assert typed.final_output == Weather(city="text", days=1)


async def goes_on() -> None:
    agent = Agent(name="goes on", model=MODEL)
    first = await Runner.run(agent, "Hello")
    assert (await Runner.run(agent, "Again", previous_response_id=first.last_response_id)).final_output


async def main() -> None:
    client = openai.AsyncOpenAI()
    store = await client.vector_stores.create(name="of-agents")
    file = ("axolotl.md", b"# Axolotl\n\nAn axolotl regrows a leg in 40 days.\n")
    attached = await client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=file)
    assert attached.status == "completed", attached
    await searches(store.id)
    await calls_functions()
    await goes_on()
    await client.vector_stores.delete(store.id)
    await client.files.delete(attached.id)
    print("passed")


asyncio.run(main())
