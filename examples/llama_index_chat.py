"""LlamaIndex: a model of this service, with and without streaming, and model `rag`.

python examples/llama_index_chat.py [QUESTION]
"""

import os
import sys

from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike
from openai import OpenAI

url = os.environ.get("RAG_URL", "http://localhost:3000")
key = os.environ.get("RAG_API_KEY", "none")
question = " ".join(sys.argv[1:]) or "What happens when the engine dies?"
models = OpenAI(base_url=f"{url}/v1", api_key=key).models.list()
model = next(model for model in models if model.kind == "language")
common = {"api_base": f"{url}/v1", "api_key": key, "context_window": model.max_model_len, "max_tokens": 30}

# is_chat_model: the service builds the prompt with the model's own chat template.
llm = OpenAILike(model=model.id, is_chat_model=True, temperature=0, **common)
messages = [ChatMessage(role="system", content="Answer in one sentence."), ChatMessage(role="user", content=question)]
print("chat:", llm.chat(messages).message.content)
print("streamed: ", end="")
for piece in llm.stream_chat(messages):
    print(piece.delta, end="", flush=True)
print()

rag = OpenAILike(model="rag", is_chat_model=True, additional_kwargs={"extra_body": {"rag": {"top_k": 2}}}, **common)
answer = rag.chat([ChatMessage(role="user", content=question)])
print("rag:", answer.message.content)
print("sources:", [source["filename"] for source in answer.raw.choices[0].message.rag["sources"]])
