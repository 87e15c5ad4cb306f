"""The `openai` package: the language model alone, then model `rag` with sources and citations, also streamed.

python examples/openai_chat.py [QUESTION]
"""

import os
import sys

from openai import OpenAI

url = os.environ.get("RAG_URL", "http://localhost:3000")
key = os.environ.get("RAG_API_KEY", "none")
question = " ".join(sys.argv[1:]) or "What happens when the engine dies?"
messages = [{"role": "user", "content": question}]
client = OpenAI(base_url=f"{url}/v1", api_key=key)

# The language model alone.
model = next(model.id for model in client.models.list() if model.kind == "language")
plain = client.chat.completions.create(model=model, messages=messages, max_tokens=20)
print(f"{model}: {plain.choices[0].message.content}")

# From documents. `rag` in extra_body sets how they are searched.
options = {"rag": {"vector_store": "default", "top_k": 2}}
whole = client.chat.completions.create(model="rag", messages=messages, max_tokens=40, extra_body=options)
message = whole.choices[0].message
print(f"rag: {message.content}")
for source in message.rag["sources"]:
    print(f"source [{source['index']}]: {source['filename']} {source['score']:.2f}")
for annotation in message.annotations:
    cited = annotation.url_citation
    print(f"cited: {message.content[cited.start_index : cited.end_index]} {cited.title}")

# Streamed: sources are in the first chunk, citations in the last one with a choice, followed by the usage.
stream = client.chat.completions.create(
    model="rag",
    messages=messages,
    max_tokens=40,
    stream=True,
    stream_options={"include_usage": True},
    extra_body=options,
)
text = ""
for chunk in stream:
    for choice in chunk.choices:
        text += choice.delta.content or ""
        if choice.finish_reason:
            print(f"streamed, and ended with {choice.finish_reason}")
            print("citations:", [citation["index"] for citation in choice.delta.rag["citations"]])
    if chunk.usage:
        print(f"{chunk.usage.prompt_tokens} tokens read, {chunk.usage.completion_tokens} written")
print("the same text:", text == message.content)
