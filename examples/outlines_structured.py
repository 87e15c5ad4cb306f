"""Outlines: text of a given form, with the engine of this service behind it.

python examples/outlines_structured.py
"""

import os
from typing import Literal

import openai
import outlines
from outlines.types import CFG, Regex
from pydantic import BaseModel, Field

url = os.environ.get("RAG_URL", "http://localhost:3000")
client = openai.OpenAI(base_url=f"{url}/v1", api_key="none")
name = next(model.id for model in client.models.list() if model.kind == "language")
options = {"max_tokens": 40, "temperature": 0}

# As with a vLLM server: all forms.
model = outlines.from_vllm(client, name)


class Animal(BaseModel):
    name: str = Field(max_length=20)
    legs: int = Field(ge=0, le=100)


ADDRESS = Regex(r"((25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(25[0-5]|2[0-4]\d|1?\d?\d)")
SUM = CFG("""
start: number " " sign " " number
sign: "+" | "-"
number: DIGIT | DIGIT DIGIT
DIGIT: /[0-9]/
""")

print("text:", model("Name an animal.", **options))
print("choice:", model("Is a review that says 'great' good or bad?", Literal["good", "bad"], **options))
print("regex:", model("What is the IP address of localhost?", ADDRESS, **options))
print("json:", Animal.model_validate_json(model("Describe a spider.", Animal, **options)))
print("cfg:", model("Write a sum of two numbers.", SUM, **options))

# What `response_format` of OpenAI's API can say: text and JSON.
model = outlines.from_openai(client, name)
print("response_format:", Animal.model_validate_json(model("Describe a spider.", Animal, **options)))
