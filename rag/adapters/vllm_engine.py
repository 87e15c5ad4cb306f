"""vLLM's AsyncLLMEngine as a `Generator`, rebuilt when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any, Literal

from rag.adapters.engine_args import engine_arguments
from rag.adapters.engine_leash import OWNER
from rag.config import LLMSettings
from rag.errors import (
    ContextLengthExceeded,
    DependencyUnavailable,
    InternalError,
    InvalidRequest,
    RagError,
    SetupError,
    Starting,
)
from rag.ports import Pieces
from rag.types import Chat, Finished, ModelInput, TextPiece, Usage

if TYPE_CHECKING:
    from vllm import RequestOutput, SamplingParams
    from vllm.v1.engine.async_llm import AsyncLLM

logger = logging.getLogger("rag.engine")

State = Literal["loading", "ready", "recovering", "failed"]
_WATCH_S = 0.25
_DIED = "the language model's engine stopped; it is being started again"


class VllmEngine:
    """One engine in this process. `start` returns at once; `facts` tells when it is ready.

    Args:
        model: Folder or hub id.
        settings: The `llm` section.
    """

    def __init__(self, model: str, settings: LLMSettings) -> None:
        self._model = model
        self._settings = settings
        self._engine: AsyncLLM | None = None
        self._state: State = "loading"
        self._since = time.monotonic()
        self._failure: str = ""
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to load the model, and from then on watch over the engine. Needs a running event loop."""
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """End the engine's processes; nothing may be in flight."""
        if self._keeper is not None:
            self._keeper.cancel()
        await asyncio.to_thread(self._shut_down)
        _kill_children()

    @property
    def running(self) -> int:
        """Requests that the engine has not finished."""
        return 0 if self._engine is None else self._engine.get_num_unfinished_requests()

    def facts(self) -> Mapping[str, Any]:
        """What the engine is, when it can answer.

        Raises:
            Starting: it is being loaded, and for how long already.
            DependencyUnavailable: it is dead.
        """
        engine = self._ready_engine()
        limit = engine.model_config.max_model_len
        return {
            "model": self._settings.model or os.path.basename(self._model),
            "context_tokens": limit,
            "running": self.running,
        }

    async def generate(
        self, prompt: ModelInput, sampling: Mapping[str, Any], request_id: str, *, model: str = ""
    ) -> Pieces:
        """See `rag.ports.Generator`."""
        from vllm.inputs import tokens_input

        engine = self._ready_engine()
        if isinstance(prompt, Chat) or model:
            raise InvalidRequest("conversations and adapters are not taken yet")
        token_ids = engine.get_tokenizer().encode(prompt) if isinstance(prompt, str) else list(prompt)
        params = self._params(token_ids, sampling)
        await engine.get_supported_tasks()  # asked once, then known: vLLM's check below is one step
        outputs = engine.generate(tokens_input(token_ids), params, request_id)
        pieces = _pieces(outputs, len(token_ids))
        await anext(pieces)
        return pieces

    def _params(self, token_ids: Sequence[int], sampling: Mapping[str, Any]) -> SamplingParams:
        engine = self._ready_engine()
        limit, vocabulary = engine.model_config.max_model_len, engine.model_config.get_vocab_size()
        room = limit - len(token_ids)
        if not token_ids:
            raise InvalidRequest("prompt: has no tokens", param="prompt")
        if room < 1 or sampling.get("max_tokens", 1) > room:
            param = "max_tokens" if room >= 1 else "prompt"
            asked = f" and max_tokens asks for {sampling['max_tokens']} more" if room >= 1 else ""
            message = f"{param}: the prompt has {len(token_ids)} tokens{asked}, but the model's context holds {limit}"
            raise ContextLengthExceeded(message, param=param)
        if (top := max(token_ids)) >= vocabulary:
            raise InvalidRequest(f"tokens: {top} is not in the vocabulary of {vocabulary}", param="tokens")
        defaults = {"max_tokens": min(self._settings.max_tokens, room), "temperature": self._settings.temperature}
        return sampling_params(defaults | dict(sampling))

    def _ready_engine(self) -> AsyncLLM:
        waited = time.monotonic() - self._since
        if self._state == "loading":
            raise Starting(f"the language model is loading ({waited:.0f} s so far)")
        if self._state == "failed":
            raise DependencyUnavailable(f"the language model cannot be started: {self._failure}")
        if self._engine is None or self._state == "recovering" or self._engine.errored:
            raise DependencyUnavailable(_DIED)
        return self._engine

    async def _keep(self) -> None:
        """Load the engine; whenever it dies, load it again, up to `restarts` times in a row."""
        failures = 0
        while failures <= self._settings.restarts:
            try:
                await asyncio.shield(asyncio.to_thread(self._load))
                failures = 0
                await self._until_dead()
            except SetupError as error:  # trying again would not mend a setting
                self._failure = error.message
                logger.error("%s", error.message)
                self._set("failed")
                return
            except Exception as error:
                failures += 1
                self._failure = f"{type(error).__name__}: {error}"[:500]
                logger.exception("the engine could not be started (try %d)", failures)
            self._set("recovering")
            await asyncio.to_thread(self._shut_down)
        self._set("failed")
        logger.error("giving up on the engine; ending this process for its supervisor to start it again")
        _kill_children()
        os._exit(1)

    async def _until_dead(self) -> None:
        while self._engine is not None and not self._engine.errored:
            await asyncio.sleep(_WATCH_S)
        logger.error("the engine died")

    def _load(self) -> None:
        started = time.monotonic()
        logger.info("loading the language model %s", self._model)
        with _sigterm_blocked():
            self._engine = build_engine(self._model, self._settings)
        self._set("ready")
        logger.info("the language model is ready after %.0f s", time.monotonic() - started)

    def _shut_down(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            with contextlib.suppress(Exception):
                engine.shutdown(timeout=0)

    def _set(self, state: State) -> None:
        self._state, self._since = state, time.monotonic()


def build_engine(model: str, settings: LLMSettings) -> AsyncLLM:
    """Start vLLM and wait until it can answer; blocks for a minute or so on a CPU."""
    os.environ[OWNER] = str(os.getpid())
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", str(settings.cpu_kv_cache_gib))
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")  # its start alone prints a hundred lines
    from vllm import AsyncEngineArgs, AsyncLLMEngine
    from vllm.platforms import current_platform

    on_cpu = current_platform.is_cpu()
    arguments = engine_arguments(model, settings, on_cpu=on_cpu, known=AsyncEngineArgs)
    return AsyncLLMEngine.from_engine_args(AsyncEngineArgs(**arguments))


def sampling_params(chosen: Mapping[str, Any]) -> SamplingParams:
    """vLLM's SamplingParams that stream only new text.

    Raises:
        InvalidRequest: vLLM refuses a value; says which and why.
    """
    from vllm import SamplingParams
    from vllm.sampling_params import RepetitionDetectionParams, RequestOutputKind, StructuredOutputsParams

    values = dict(chosen)
    with _translated():
        if (structured := values.pop("structured_outputs", None)) is not None:
            values["structured_outputs"] = StructuredOutputsParams(**structured)
        if (repetition := values.pop("repetition_detection", None)) is not None:
            values["repetition_detection"] = RepetitionDetectionParams(**repetition)
        if (bias := values.pop("logit_bias", None)) is not None:
            values["logit_bias"] = {int(token): weight for token, weight in bias.items()}
        return SamplingParams(output_kind=RequestOutputKind.DELTA, **values)


async def _pieces(outputs: AsyncGenerator[RequestOutput, None], prompt_tokens: int) -> Pieces:
    """The text of an engine's outputs. Its first item only says that the engine has accepted the request.

    vLLM checks a request in the first step of its generator and then waits for tokens: a refusal shows at
    once, and closing this generator aborts the request, whether or not a token has come.
    """
    written = 0
    first = asyncio.ensure_future(anext(outputs))
    try:
        with _translated():
            await asyncio.sleep(0)
            if first.done():
                first.result()
            yield TextPiece("")
            async for output in _chained(first, outputs):
                completion = output.outputs[0]
                written += len(completion.token_ids)
                if completion.text:
                    yield TextPiece(completion.text)
                if output.finished:
                    yield _finished(output, prompt_tokens, written)
    finally:
        first.cancel()
        with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration, Exception):
            await first
        await outputs.aclose()


async def _chained(
    first: asyncio.Future[RequestOutput], rest: AsyncGenerator[RequestOutput, None]
) -> AsyncGenerator[RequestOutput, None]:
    yield await first
    async for output in rest:
        yield output


def _finished(output: RequestOutput, prompt_tokens: int, written: int) -> Finished:
    reason = output.outputs[0].finish_reason or "stop"
    if reason in ("abort", "error"):
        raise DependencyUnavailable("the language model's engine dropped the request")
    return Finished(str(reason), Usage(prompt_tokens, written, output.num_cached_tokens or 0))


@contextlib.contextmanager
def _translated() -> Any:
    """vLLM's errors as ours."""
    from vllm.exceptions import VLLMClientError
    from vllm.v1.engine.exceptions import EngineDeadError

    try:
        yield
    except RagError:
        raise
    except EngineDeadError as error:
        raise DependencyUnavailable(_DIED) from error
    except (VLLMClientError, ValueError, TypeError) as error:
        text = str(error.args[0]) if error.args else str(error)
        raise InvalidRequest(text[:500], param=getattr(error, "parameter", None)) from error
    except Exception as error:
        raise InternalError("the language model failed on this request; the log has the details") from error


@contextlib.contextmanager
def _sigterm_blocked() -> Any:
    """Processes started inside never see SIGTERM.

    BentoML's supervisor signals the children of a service too, and an engine that gets SIGTERM drops its
    requests. The signal mask is inherited, so the engine ends only when this process ends it.
    """
    if threading.current_thread() is threading.main_thread():
        raise RuntimeError("the engine is started from a thread of its own, so that this process keeps its signals")
    resource_tracker.ensure_running()  # starting it later, in between, would unblock them again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _kill_children() -> None:
    import psutil

    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            child.kill()
