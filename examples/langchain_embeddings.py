"""LangChain: embeddings of this service in one of LangChain's vector stores.

python examples/langchain_embeddings.py
"""

import os

from langchain_core.vectorstores import InMemoryVectorStore
from langchain_openai import OpenAIEmbeddings
from openai import OpenAI

url = os.environ.get("RAG_URL", "http://localhost:3000")
key = os.environ.get("RAG_API_KEY", "none")
models = OpenAI(base_url=f"{url}/v1", api_key=key).models.list()
model = next(model.id for model in models if model.kind == "embedding")

# By default LangChain sends token ids of OpenAI's tokenizer, which other models cannot use.
embeddings = OpenAIEmbeddings(base_url=f"{url}/v1", api_key=key, model=model, check_embedding_ctx_length=False)
texts = ["An owl turns its head by 270 degrees.", "A gull drinks salt water.", "A heron stands still for hours."]
store = InMemoryVectorStore.from_texts(texts, embeddings)
for document, score in store.similarity_search_with_score("Which bird can look behind itself?", k=2):
    print(f"{score:.2f} {document.page_content}")
