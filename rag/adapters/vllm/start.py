"""Starts vLLM's engine and kills its processes."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from rag.adapters.vllm.args import chosen_arguments, engine_arguments, refused_argument, served_names
from rag.adapters.vllm.engine_process import started_here
from rag.adapters.vllm.parent_watchdog import OWNER_PID_VARIABLE
from rag.adapters.vllm.parsers.reasoning_parser_choice import check_reasoning_parser, choose_reasoning_parser
from rag.adapters.vllm.parsers.tools import check_parser
from rag.adapters.vllm.private_ports import listen_on_loopback
from rag.adapters.vllm.structures.backend import choose_structures
from rag.config import LLMSettings
from rag.deferred_sklearn import sklearn_deferred
from rag.errors import SetupError

if TYPE_CHECKING:
    from vllm import AsyncEngineArgs
    from vllm.config import VllmConfig
    from vllm.v1.engine.async_llm import AsyncLLM


def build_engine(model: str, settings: LLMSettings) -> AsyncLLM:
    """Start the engine and wait until it is ready; blocks for about a minute on a CPU.

    Raises:
        SetupError: as `checked_config` does.
    """
    os.environ[OWNER_PID_VARIABLE] = str(os.getpid())
    with sklearn_deferred():
        arguments, config = checked_config(model, settings)
        listen_on_loopback(config)
        from vllm import AsyncLLMEngine

        with sigterm_blocked(), _one_process(arguments, config), started_here():
            return AsyncLLMEngine.from_vllm_config(
                config, enable_log_requests=arguments.enable_log_requests, disable_log_stats=arguments.disable_log_stats
            )


def checked_config(model: str, settings: LLMSettings) -> tuple[AsyncEngineArgs, VllmConfig]:
    """The engine's complete configuration, without starting it. Imports vLLM, which takes about ten seconds.

    Raises:
        SetupError: an engine argument, the tool parser or a name of the model is invalid.
    """
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", str(settings.cpu_kv_cache_gib))
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")  # otherwise the start prints a hundred lines
    from vllm import AsyncEngineArgs
    from vllm.platforms import current_platform

    check_parser(settings.tool_parser)
    served_names(model, settings)
    values: dict[str, Any] = engine_arguments(model, settings, on_cpu=current_platform.is_cpu(), known=AsyncEngineArgs)
    check_reasoning_parser(values.get("reasoning_parser"), values.get("reasoning_parser_plugin"))
    is_automatic = "reasoning_parser" not in values
    if not is_automatic and not values["reasoning_parser"]:
        del values["reasoning_parser"]
    try:
        arguments = AsyncEngineArgs(**values)
        config = arguments.create_engine_config()
        if is_automatic:
            choose_reasoning_parser(config)
        if "backend" not in _structures(settings):
            choose_structures(config)
    except Exception as error:
        raise refused_argument(error, settings.engine) from error
    _check_budget(config, settings)
    return arguments, config


def _structures(settings: LLMSettings) -> Mapping[str, JsonValue]:
    """What the user has set of `structured_outputs_config`."""
    chosen = chosen_arguments(settings).get("structured_outputs_config")
    return chosen if isinstance(chosen, dict) else {}


def _check_budget(config: VllmConfig, settings: LLMSettings) -> None:
    reasoning = config.reasoning_config
    if settings.thinking_token_budget is not None and not (reasoning is not None and reasoning.enabled):
        option = "RAG_LLM__THINKING_TOKEN_BUDGET"
        raise SetupError(f"{option}: vLLM cannot limit the thinking of this model; unset it", param=option)


@contextlib.contextmanager
def _one_process(arguments: AsyncEngineArgs, config: VllmConfig) -> Iterator[None]:
    """Let the engine core compute in its own process, if it is one worker on a CPU (docs/bentoml_issues.md#v11).

    The environment variables tell OpenMP in the process that is started inside how many threads to use and where; vLLM
    sets them for worker processes only.
    """
    from vllm.platforms import current_platform
    from vllm.utils.ompmultiprocessing import OMPProcessManager
    from vllm.v1.executor.uniproc_executor import UniProcExecutor

    parallel = config.parallel_config
    is_one = parallel.world_size == parallel.data_parallel_size == 1
    if not (current_platform.is_cpu() and is_one and arguments.distributed_executor_backend is None):
        yield
        return
    parallel.distributed_executor_backend = UniProcExecutor
    with OMPProcessManager(config).configure_omp_envs(rank=0, local_rank=0):
        yield


@contextlib.contextmanager
def sigterm_blocked() -> Iterator[None]:
    """Start processes inside with SIGTERM and SIGINT blocked.

    BentoML's supervisor signals the children of a service as well (docs/bentoml_issues.md#b6), and an engine
    that receives SIGTERM drops its requests. The signal mask is inherited, so only this process ends the engine.
    """
    if threading.current_thread() is threading.main_thread():
        raise RuntimeError("start the engine in another thread: the signal mask of the main thread must not change")
    resource_tracker.ensure_running()  # otherwise it would be started inside, and unblock the signals
    previous_mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous_mask)


def kill_children() -> None:
    import psutil

    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            child.kill()
