"""`/v1/models`, `chat/completions`, `completions`, `responses`, `embeddings`, `rerank`, and adapters."""

from __future__ import annotations

from rag.http.adapters_wire import LoadAdapterRequest, UnloadAdapterRequest
from rag.http.openapi.failures import Error
from rag.http.openapi.language_objects import (
    ChatAnswer,
    ChatChunk,
    CompletionChunk,
    CompletionTexts,
    EmbeddingList,
    ModelList,
    RerankAnswer,
    ResponseEvent,
    ResponseOut,
    ServedModelOut,
)
from rag.http.openapi.operation import Events, Gives, Operation, Takes
from rag.http.v1.chat.body import ChatBody
from rag.http.v1.completions.body import CompletionBody
from rag.http.v1.embeddings import CreateEmbeddings
from rag.http.v1.rerank import Rerank
from rag.http.v1.responses.body import ResponsesBody
from rag.types import JsonObject

_TAG, _ADAPTERS = "Language model", "Adapters"
_DONE = "[DONE]"
_TEXT: JsonObject = {"type": "string"}

OPERATIONS = (
    Operation(
        name="list_models",
        method="get",
        path="/v1/models",
        tag=_TAG,
        summary="What a request can name as its model",
        gives=[Gives("Models.", ModelList)],
    ),
    Operation(
        name="get_model",
        method="get",
        path="/v1/models/{model}",
        tag=_TAG,
        summary="A model",
        gives=[Gives("The model.", ServedModelOut)],
        fails=[404],
    ),
    Operation(
        name="create_chat_completion",
        method="post",
        path="/v1/chat/completions",
        tag=_TAG,
        summary="Go on with a conversation; model `rag` answers from documents",
        takes=Takes(ChatBody),
        gives=[
            Gives(
                'The completion; with `"stream": true` events, and `[DONE]` last.',
                ChatAnswer,
                events=Events([("", ChatChunk), ("", Error)], _DONE),
            )
        ],
        fails=[400, 404, 409, 413, 504],
    ),
    Operation(
        name="create_completion",
        method="post",
        path="/v1/completions",
        tag=_TAG,
        summary="Go on from texts",
        takes=Takes(CompletionBody),
        gives=[
            Gives(
                'The texts; with `"stream": true` events, and `[DONE]` last.',
                CompletionTexts,
                events=Events([("", CompletionChunk), ("", Error)], _DONE),
            )
        ],
        fails=[400, 404, 413, 504],
    ),
    Operation(
        name="create_response",
        method="post",
        path="/v1/responses",
        tag=_TAG,
        summary="OpenAI's newer form of the same; the tool `file_search` answers from documents",
        description="None is kept: there is no route to ask for one again.",
        takes=Takes(ResponsesBody),
        gives=[
            Gives(
                'The response; with `"stream": true` OpenAI\'s events, of which the last holds the same.',
                ResponseOut,
                events=Events([("", ResponseEvent)]),
            )
        ],
        fails=[400, 404, 409, 413, 504],
    ),
    Operation(
        name="create_embeddings",
        method="post",
        path="/v1/embeddings",
        tag=_TAG,
        summary="Vectors of texts, or of token ids",
        takes=Takes(CreateEmbeddings),
        gives=[Gives("Vectors, in the order of the texts.", EmbeddingList)],
        fails=[400, 404, 413, 504],
    ),
    Operation(
        name="rerank",
        method="post",
        path="/v1/rerank",
        tag=_TAG,
        summary="Order documents by how well they answer a query",
        takes=Takes(Rerank),
        gives=[Gives("The documents, best first.", RerankAnswer)],
        fails=[400, 404, 413, 504],
    ),
    Operation(
        name="load_lora_adapter",
        method="post",
        path="/v1/load_lora_adapter",
        tag=_ADAPTERS,
        summary="Load a LoRA adapter; `RAG_LLM__RUNTIME_ADAPTERS` must allow it",
        takes=Takes(LoadAdapterRequest),
        gives=[Gives("It is loaded.", schema=_TEXT, media_type="text/plain")],
        fails=[400, 403, 404, 409, 413, 504],
    ),
    Operation(
        name="unload_lora_adapter",
        method="post",
        path="/v1/unload_lora_adapter",
        tag=_ADAPTERS,
        summary="Unload a LoRA adapter",
        takes=Takes(UnloadAdapterRequest),
        gives=[Gives("It is gone.", schema=_TEXT, media_type="text/plain")],
        fails=[400, 403, 404, 409, 413, 504],
    ),
)
