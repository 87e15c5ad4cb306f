"""LangChain: a chain that searches a vector store, builds its own prompt from the hits, and names their sources.

python examples/langchain_retrieval.py [QUESTION]
"""

import os
import sys

from langchain_core.documents import Document
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda, RunnablePassthrough
from langchain_openai import ChatOpenAI
from openai import OpenAI

url = os.environ.get("RAG_URL", "http://localhost:3000")
key = os.environ.get("RAG_API_KEY", "none")
question = " ".join(sys.argv[1:]) or "What happens when the engine dies?"
client = OpenAI(base_url=f"{url}/v1", api_key=key)
model = next(model.id for model in client.models.list() if model.kind == "language")


def search(query: str) -> list[Document]:
    found = client.vector_stores.search("default", query=query, max_num_results=2)
    return [Document(hit.content[0].text, metadata={"source": hit.filename, "score": hit.score}) for hit in found.data]


def as_text(documents: list[Document]) -> str:
    return "\n\n".join(document.page_content for document in documents)


prompt = ChatPromptTemplate.from_template("Answer from this text alone:\n\n{context}\n\nQuestion: {question}")
llm = ChatOpenAI(base_url=f"{url}/v1", api_key=key, model=model, temperature=0, max_tokens=30)
context = RunnablePassthrough.assign(context=lambda values: as_text(values["documents"]))
write = context | prompt | llm | StrOutputParser()
found = {"documents": RunnableLambda(search), "question": RunnablePassthrough()}
chain = found | RunnablePassthrough.assign(answer=write)

answered = chain.invoke(question)
print("answer:", answered["answer"])
print("from:", [document.metadata["source"] for document in answered["documents"]])
