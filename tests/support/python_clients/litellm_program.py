"""litellm with its default settings: chat, streams, functions, messages sent back, responses, embeddings, reranking."""

import os

import litellm

BASE = os.environ["OPENAI_BASE_URL"]
ROOT = BASE.removesuffix("/v1")
MODEL = f"openai/{os.environ['MODEL']}"
QUESTION = {"role": "user", "content": "How long does an axolotl need to regrow a leg?"}
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "Weather", "parameters": PARAMETERS}}]

answer = litellm.completion(model="openai/rag", messages=[QUESTION]).choices[0].message
again = litellm.completion(model="openai/rag", messages=[QUESTION, answer, QUESTION])
assert again.choices[0].message.content

chunks = litellm.completion(model="openai/rag", messages=[QUESTION], stream=True)
assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks)

calling = litellm.completion(model=MODEL, messages=[QUESTION], tools=TOOLS).choices[0].message
returned = {"role": "tool", "tool_call_id": calling.tool_calls[0].id, "content": "sunny in Paris"}
told = litellm.completion(model=MODEL, messages=[QUESTION, calling, returned], tools=TOOLS)
assert "sunny in Paris" in told.choices[0].message.content
streamed = litellm.stream_chunk_builder(
    list(litellm.completion(model=MODEL, messages=[QUESTION], tools=TOOLS, stream=True))
)
assert streamed.choices[0].message.tool_calls[0].function.name == "weather"

assert litellm.responses(model="openai/rag", input="How long?").output[-1].content[0].text
assert len(litellm.embedding(model="openai/all-MiniLM-L6-v2", input=["one", "two"]).data) == 2
assert litellm.text_completion(model=f"text-completion-{MODEL}", prompt="Hi", max_tokens=4).choices[0].text

DOCUMENTS = ["Gulls drink salt water.", "An axolotl regrows a leg in 40 days."]
for provider, base in {
    "cohere": ROOT,
    "jina_ai": BASE,
    "hosted_vllm": ROOT,
    "infinity": f"{ROOT}/infinity",
}.items():
    ranked = litellm.rerank(
        model=f"{provider}/rerank", query=QUESTION["content"], documents=DOCUMENTS, api_base=base, api_key="none"
    )
    assert [result["index"] for result in ranked.results] == [1, 0], (provider, ranked)
    assert ranked.results[0]["document"] == {"text": DOCUMENTS[1]}, (provider, ranked)
print("passed")
