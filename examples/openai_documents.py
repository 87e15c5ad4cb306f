"""The `openai` package's files and vector stores: upload, search, answer from one vector store, clean up.

python examples/openai_documents.py
"""

import os

from openai import OpenAI

url = os.environ.get("RAG_URL", "http://localhost:3000")
key = os.environ.get("RAG_API_KEY", "none")
client = OpenAI(base_url=f"{url}/v1", api_key=key)

store = client.vector_stores.create(name="example-of-birds")
file = client.files.create(file=("owl.md", b"# Owl\n\nAn owl turns its head by 270 degrees."), purpose="assistants")
added = client.vector_stores.files.create_and_poll(file.id, vector_store_id=store.id, attributes={"kind": "bird"})
print(f"{file.filename}: {added.status}")

found = client.vector_stores.search(
    store.id,
    query="How far does an owl turn its head?",
    filters={"type": "eq", "key": "kind", "value": "bird"},
)
print(f"found: {found.data[0].filename} {found.data[0].score:.2f}")

answer = client.chat.completions.create(
    model="rag",
    messages=[{"role": "user", "content": "How far does an owl turn its head?"}],
    max_tokens=40,
    extra_body={"rag": {"vector_store": store.id}},
)
print(f"answer: {answer.choices[0].message.content}")

client.vector_stores.delete(store.id)
client.files.delete(file.id)
