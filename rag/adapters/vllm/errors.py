"""Translates vLLM's errors."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from rag.errors import DependencyUnavailable, InternalError, InvalidRequest, Overloaded, RagError

ENGINE_DIED = "the language model's engine stopped; it is being started again"
_NAME_FIRST = re.compile(r"`?([a-z][a-z_]*)\b")
_PLACE_IN_SOURCE = re.compile(r"\[\d\d:\d\d:\d\d\] \S+:\d+: ")
_SPECIAL = {"Requested sample logprobs": "logprobs", "Requested prompt logprobs": "prompt_logprobs"}


@contextlib.contextmanager
def translated(param: str | None = None) -> Iterator[None]:
    """Translate errors of vLLM that are raised inside; a refused request becomes an InvalidRequest.

    Args:
        param: The parameter to name if vLLM names none.
    """
    from vllm.exceptions import GracefulHTTPError, VLLMClientError
    from vllm.v1.engine.exceptions import EngineDeadError

    try:
        yield
    except RagError:
        raise
    except EngineDeadError as error:
        raise DependencyUnavailable(ENGINE_DIED) from error
    except GracefulHTTPError as error:  # the engine's own limit on waiting requests
        raise Overloaded("the language model has too many requests; try again soon") from error
    except (VLLMClientError, ValueError, TypeError) as error:
        raise refusal(error, param) from error
    except Exception as error:
        raise InternalError("the language model failed on this request; the log has the details") from error


def refusal(error: Exception, default_param: str | None = None) -> InvalidRequest:
    """The error for a refused request. vLLM names the parameter in an attribute, or at the start of its message."""
    text = _text(error)
    if (cause := error.__cause__) is not None and _text(cause) not in text:
        text = f"{text} {_text(cause)}"
    param: str | None = getattr(error, "parameter", None) or _named_in(text) or default_param
    message = text if param is None or text.startswith(param) else f"{param}: {text}"
    return InvalidRequest(message[:500], param=param)


def _text(error: BaseException) -> str:
    text = str(error.args[0]) if error.args else str(error)
    return _PLACE_IN_SOURCE.sub("", text).strip()


def _named_in(text: str) -> str | None:
    from vllm import SamplingParams

    if (known := next((name for start, name in _SPECIAL.items() if text.startswith(start)), None)) is not None:
        return known
    match = _NAME_FIRST.match(text)
    return match[1] if match and match[1] in SamplingParams.__struct_fields__ else None
