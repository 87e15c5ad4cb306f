"""BentoML's client: retrieve passages, then ask and read the events of the stream.

python examples/bentoml_client.py [QUESTION]
"""

import json
import os
import sys

import bentoml

url = os.environ.get("RAG_URL", "http://localhost:3000")
question = " ".join(sys.argv[1:]) or "What happens when the engine dies?"


def events(pieces):
    """Name and data of each event; comments between them keep the connection alive."""
    text = ""
    for piece in pieces:
        *whole, text = (text + piece).split("\n\n")
        for event in whole:
            if event.startswith("event: "):
                name, data = event.removeprefix("event: ").split("\ndata: ")
                yield name, json.loads(data)


with bentoml.SyncHTTPClient(url, token=os.environ.get("RAG_API_KEY")) as client:
    for hit in client.retrieve(query=question, top_k=2)["hits"]:
        print(f"found: {hit['filename']} {hit['score']:.2f}")

    for name, data in events(client.ask(question=question, top_k=2, max_tokens=40)):
        if name == "sources":
            print("sources:", *(f"[{source['index']}] {source['filename']}" for source in data["sources"]))
            print("answer: ", end="")
        elif name == "token":
            print(data["text"], end="", flush=True)
        elif name == "done":
            print("\ncitations:", [citation["index"] for citation in data["citations"]])
        elif name == "error":
            sys.exit(data["message"])
