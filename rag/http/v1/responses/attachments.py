"""Reads the files and images of a response's conversation."""

from __future__ import annotations

from rag.http.clients.remote_files import RemoteFiles
from rag.http.v1.edge_parts import EdgeParts
from rag.http.v1.responses.memory import RequestedTurns, history_field
from rag.http.v1.responses.request.body import ResponsesBody
from rag.http.v1.text_generation.file_parts import Room, attached_files, read_files
from rag.http.v1.text_generation.image_parts import ImageReader, attached_images


async def read_attachments(parts: EdgeParts, body: ResponsesBody, turns: RequestedTurns) -> None:
    """Read the attachments, so that they can be sent to the language model. Raises as `read_files` and `ImageReader`
    do.
    """
    retriever, facts = parts.dependencies.clients["Retriever"], parts.dependencies.require("LLM")
    earlier = history_field(body)
    images = ImageReader(RemoteFiles(retriever), parts.images, facts)
    await images.read(attached_images(turns.input, "input"), attached_images(turns.history, earlier))
    files = {**attached_files(turns.history, earlier), **attached_files(turns.input, "input")}
    items = (*turns.history, *turns.input)
    others = [{"role": item.role or "user", "content": item.own_text} for item in items]
    room = Room(int(facts["context_tokens"]), body.max_output_tokens or 1, body.template_values)
    await read_files(retriever, files, others, room)
