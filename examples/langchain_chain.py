"""LangChain: a prompt and a model in a chain, with and without streaming; then the same chain with model `rag`.

python examples/langchain_chain.py [QUESTION]
"""

import os
import sys

from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI
from openai import OpenAI

url = os.environ.get("RAG_URL", "http://localhost:3000")
key = os.environ.get("RAG_API_KEY", "none")
question = " ".join(sys.argv[1:]) or "What happens when the engine dies?"
models = OpenAI(base_url=f"{url}/v1", api_key=key).models.list()
model = next(model.id for model in models if model.kind == "language")

# As with LangChain's client for vLLM.
llm = ChatOpenAI(base_url=f"{url}/v1", api_key=key, model=model, temperature=0, max_tokens=30)
prompt = ChatPromptTemplate.from_messages(
    [
        ("system", "You are a helpful assistant that translates {input_language} to {output_language}."),
        ("human", "{input}"),
    ]
)
chain = prompt | llm
words = {"input_language": "English", "output_language": "German", "input": "I love programming."}
print("chain:", chain.invoke(words).content)
print("streamed: ", end="")
for chunk in chain.stream(words):
    print(chunk.content, end="", flush=True)
print()

# Model `rag` retrieves by itself; the chain is unchanged.
rag = ChatOpenAI(base_url=f"{url}/v1", api_key=key, model="rag", max_tokens=30, extra_body={"rag": {"top_k": 2}})
chain = ChatPromptTemplate.from_messages([("human", "{question}")]) | rag
print("rag:", chain.invoke({"question": question}).content)
