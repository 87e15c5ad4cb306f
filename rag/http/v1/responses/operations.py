"""`POST /v1/responses` and the count of its input in the OpenAPI document."""

from __future__ import annotations

from rag.http.openapi.events import EventModel
from rag.http.openapi.route import Operation
from rag.http.v1.responses.request.body import ResponsesBody
from rag.http.v1.responses.response_models import InputTokens, ResponseEvent, ResponseOut

CREATE = Operation(
    id="create_response",
    scopes=("ask", "generate"),
    uses_tokens=True,
    tag="Language model",
    summary="Create a response; the tool `file_search` answers from documents",
    description="The response is kept, so that `previous_response_id` can continue it, unless `store` is false or the "
    "service keeps none. A `conversation` is continued once the answer is complete. With `background` the response is "
    "queued, the request answered at once, and the response generated whether or not the client stays connected.",
    body=ResponsesBody,
    response=ResponseOut,
    response_description='The response; with `"background": true`, as it is queued. With `"stream": true`, OpenAI\'s '
    "events; the last one holds the response.",
    events=[EventModel(ResponseEvent)],
    errors=[400, 404, 409, 413, 424, 504],
)

COUNT_INPUT = Operation(
    id="count_response_input_tokens",
    scopes=("ask", "generate"),
    tag="Language model",
    summary="Count the tokens that the language model would read for a response",
    description="For an answer from documents, the documents are searched, because their passages count.",
    body=ResponsesBody,
    response=InputTokens,
    response_description="The number of tokens.",
    errors=[400, 404, 409, 413, 504],
)
