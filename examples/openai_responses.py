"""The `openai` package's Responses API: `file_search` over a vector store, with file citations.

python examples/openai_responses.py [QUESTION]
"""

import os
import sys

from openai import OpenAI

url = os.environ.get("RAG_URL", "http://localhost:3000")
key = os.environ.get("RAG_API_KEY", "none")
question = " ".join(sys.argv[1:]) or "What happens when the engine dies?"
client = OpenAI(base_url=f"{url}/v1", api_key=key)
model = next(model.id for model in client.models.list() if model.kind == "language")
search = {"type": "file_search", "vector_store_ids": ["default"], "max_num_results": 2}
asked = {"model": model, "input": question, "tools": [search], "max_output_tokens": 40}

response = client.responses.create(**asked, include=["file_search_call.results"])
for item in response.output:
    if item.type == "file_search_call":
        print("found:", [result.filename for result in item.results])
    elif item.type == "message":
        print("answer:", item.content[0].text)
        print("cited:", [annotation.filename for annotation in item.content[0].annotations])

print("streamed: ", end="")
for event in client.responses.create(**asked, stream=True):
    if event.type == "response.output_text.delta":
        print(event.delta, end="", flush=True)
    elif event.type in ("response.completed", "response.incomplete"):
        print(f"\nstatus: {event.response.status}, {event.response.usage.output_tokens} tokens written")
