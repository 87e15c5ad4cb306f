"""vLLM's errors as ours."""

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
    """Raises what vLLM raises inside as one of our errors; what it refuses becomes an InvalidRequest.

    Args:
        param: At fault where vLLM names none.
    """
    from vllm.exceptions import GracefulHTTPError, VLLMClientError
    from vllm.v1.engine.exceptions import EngineDeadError

    try:
        yield
    except RagError:
        raise
    except EngineDeadError as error:
        raise DependencyUnavailable(ENGINE_DIED) from error
    except GracefulHTTPError as error:  # the engine's own limits on what waits, where they are set
        raise Overloaded("the language model has too many requests in work; try again soon") from error
    except (VLLMClientError, ValueError, TypeError) as error:
        raise refusal(error, param) from error
    except Exception as error:
        raise InternalError("the language model failed on this request; the log has the details") from error


def refusal(error: Exception, otherwise: str | None = None) -> InvalidRequest:
    """Names the parameter at fault: vLLM does so itself only at times; else its text begins with it, as a rule."""
    text = _text(error)
    if (cause := error.__cause__) is not None and _text(cause) not in text:
        text = f"{text} {_text(cause)}"
    param: str | None = getattr(error, "parameter", None) or _named_in(text) or otherwise
    message = text if param is None or text.startswith(param) else f"{param}: {text}"
    return InvalidRequest(message[:500], param=param)


def _text(error: BaseException) -> str:
    text = str(error.args[0]) if error.args else str(error)
    return _PLACE_IN_SOURCE.sub("", text).strip()


def _named_in(text: str) -> str | None:
    from vllm import SamplingParams

    if (known := next((name for start, name in _SPECIAL.items() if text.startswith(start)), None)) is not None:
        return known
    found = _NAME_FIRST.match(text)
    return found[1] if found and found[1] in SamplingParams.__struct_fields__ else None
