"""The `openai` package's embeddings: vectors of texts, from the encoder that is used for search.

python examples/openai_embeddings.py
"""

import os

from openai import OpenAI

url = os.environ.get("RAG_URL", "http://localhost:3000")
key = os.environ.get("RAG_API_KEY", "none")
client = OpenAI(base_url=f"{url}/v1", api_key=key)
model = next(model.id for model in client.models.list() if model.kind == "embedding")

texts = ["An owl turns its head by 270 degrees.", "A gull drinks salt water.", "Which bird can look behind itself?"]
answer = client.embeddings.create(model=model, input=texts)
owl, gull, question = (item.embedding for item in answer.data)


def cosine(one: list[float], other: list[float]) -> float:
    """The vectors have length 1."""
    return sum(a * b for a, b in zip(one, other, strict=True))


print(f"{model}: {len(owl)} dimensions, {answer.usage.total_tokens} tokens read")
print(f"owl {cosine(question, owl):.2f}, gull {cosine(question, gull):.2f}")
