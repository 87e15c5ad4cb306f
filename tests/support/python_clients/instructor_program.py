"""instructor with its default settings, and the other ways in which it asks OpenAI for an object."""

import os

import instructor
from openai import OpenAI
from pydantic import BaseModel

QUESTION = [{"role": "user", "content": "How long does an axolotl need to regrow a leg?"}]


class Weather(BaseModel):
    city: str
    days: int


def written(client: instructor.Instructor, model: str) -> dict[str, object]:
    made = client.chat.completions.create(model=model, messages=QUESTION, response_model=Weather, max_retries=0)
    return made.model_dump()


for model in ("rag", os.environ["MODEL"]):
    assert written(instructor.from_openai(OpenAI()), model) == {"city": "text", "days": 1}, model
for mode in (instructor.Mode.TOOLS_STRICT, instructor.Mode.JSON_SCHEMA):
    client = instructor.from_openai(OpenAI(), mode=mode)
    assert written(client, os.environ["MODEL"]) == {"city": "text", "days": 1}, mode
print("passed")
