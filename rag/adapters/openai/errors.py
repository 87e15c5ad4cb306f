"""Translates the errors of an OpenAI-compatible server and of the connection to it."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from openai import APIConnectionError, APIError, APIStatusError, APITimeoutError

from rag.errors import (
    ContextLengthExceeded,
    DependencyUnavailable,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    RagError,
)

_MAX_CHARS = 400
_OUR_NAMES = {
    "max_completion_tokens": "max_tokens",
    "top_logprobs": "logprobs",
    "response_format": "structured_outputs",
    "messages": "prompt",
    "input_tokens": "prompt",
    "input_text": "prompt",
}
_NOT_OURS = {"stream", "stream_options"}
_CONTEXT = re.compile(r"context[ _](length|window|size)|reduce the length|max_new_tokens`? must be", re.IGNORECASE)
_STRUCTURES = {"structured_outputs", "response_format"}
_STRUCTURE = re.compile(r"grammar|regex|schema|choice", re.IGNORECASE)
_OUTPUT = re.compile(r"max_(completion_)?tokens|requested \d+ output tokens")
_log = logging.getLogger("rag.llm")


@dataclass(frozen=True, slots=True)
class OpenAiRequest:
    """A request to the server: a path and a JSON body."""

    path: str
    body: Mapping[str, Any]
    adapter: str = ""
    """The LoRA adapter that the request names; empty: the configured model."""
    copies: int = 1
    """Number of identical texts in the answer: at temperature 0 one text is generated and copied."""


class ServerErrors:
    """Translates errors. Messages contain the host of the server, but neither its full URL nor the key.

    Args:
        key: Removed from messages in which the server repeats it.
    """

    def __init__(self, host: str, timeout_s: float, key: str = "") -> None:
        self._server = f"the language model's server at {host}"
        self._timeout_s = timeout_s
        self._key = key

    def unavailable(self, what: str) -> DependencyUnavailable:
        return DependencyUnavailable(f"{self._server} {what}")

    @contextlib.contextmanager
    def translated(self, request: OpenAiRequest) -> Iterator[None]:
        try:
            yield
        except RagError:
            raise
        except APITimeoutError:
            raise self.unavailable(f"was silent for {self._timeout_s:g} s (RAG_LLM__TIMEOUT_S)") from None
        except APIConnectionError as error:
            cause = type(error.__cause__ or error).__name__
            lost = cause in ("ReadError", "WriteError", "RemoteProtocolError")
            raise self.unavailable(f"{'broke off' if lost else 'does not answer'} ({cause})") from None
        except APIError as error:
            raise self._from_api_error(error, request) from None
        except (ValueError, RecursionError):
            raise self.unavailable("did not send a stream of completions") from None

    def _from_api_error(self, error: APIError, request: OpenAiRequest) -> RagError:
        status, message = _status(error), self._readable(error)
        if status >= 500:
            _log.warning("%s answered %d to %s: %s", self._server, status, request.path, message)
        if status in (400, 413, 422):
            return _refused(message, error, request)
        if status in (401, 403):
            return self.unavailable(f"refused the key ({status}); see RAG_LLM__API_KEY")
        if status == 404:
            return self._not_found(request)
        if status == 429:
            return Overloaded(f"{self._server} has too many requests, or no quota left (429); try again later")
        if status < 500:
            return self.unavailable(f"answered {status}; see RAG_LLM__URL")
        broke_off = not isinstance(error, APIStatusError)
        return self.unavailable("broke off" if broke_off else f"answered {status}; try again later")

    def _not_found(self, request: OpenAiRequest) -> RagError:
        if request.adapter:
            return ModelNotFound(f"model: {self._server} has no {request.adapter!r}", param="model")
        model = f"no model {request.body['model']!r} (RAG_LLM__MODEL), or " if "model" in request.body else ""
        return self.unavailable(f"has {model}no {request.path} (404); see RAG_LLM__URL, which often ends in /v1")

    def _readable(self, error: APIError) -> str:
        body = error.body
        message = body.get("message") if isinstance(body, Mapping) else None
        text = message if isinstance(message, str) else body if isinstance(body, str) else error.message
        text = text.replace(self._key, "...") if self._key else text
        return " ".join(text.split())[:_MAX_CHARS]


def _status(error: APIError) -> int:
    """The HTTP status, or for an error within the stream the status that its code or type stands for."""
    if isinstance(error, APIStatusError):
        return error.status_code
    code = str(error.code or "")
    if code.isdigit() and 400 <= int(code) < 600:
        return int(code)
    kind = f"{code} {error.type or ''}".lower()
    if "rate_limit" in kind or "overloaded" in kind:
        return 429
    return 400 if "invalid_request" in kind or "context_length" in kind or "badrequest" in kind else 500


def _refused(message: str, error: APIError, request: OpenAiRequest) -> InvalidRequest:
    if str(error.code) == "context_length_exceeded" or _CONTEXT.search(f"{error.type} {message}"):
        param = "max_tokens" if _OUTPUT.search(message) else "prompt"
        return ContextLengthExceeded(_named(param, message), param=param)
    param = _param(message, error, request)
    return InvalidRequest(_named(param, message), param=param or None)


def _param(message: str, error: APIError, request: OpenAiRequest) -> str:
    """This project's name of the field at fault; empty: unknown. Many servers name the field in the message only."""
    field = re.split(r"[.\[]", str(error.param or "").removeprefix("body."))[0]
    if field in request.body or field in _OUR_NAMES or field == "prompt":
        return _OUR_NAMES.get(field, field)
    names = [name for name in request.body if name not in _NOT_OURS and re.search(rf"\b{name}\b", message)]
    if not names and _STRUCTURES & request.body.keys() and _STRUCTURE.search(message):
        return "structured_outputs"
    return _OUR_NAMES.get(names[0], names[0]) if names else ""


def _named(param: str, message: str) -> str:
    message = message or "the language model's server refuses it"
    return message if not param or param in message else f"{param}: {message}"
